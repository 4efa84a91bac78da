"""Systems that can be measured: our model through the engine, four controls, and a folder of outputs made elsewhere."""
