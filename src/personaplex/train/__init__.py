"""Training: datasets on the grid, losses, the codec's and the language model's trainers, resumable by step.

Runs on bare torch, numpy, safetensors and sentencepiece; progress bars and TensorBoard are used where installed. It
reads the files that `synth` writes and writes model directories.
"""
