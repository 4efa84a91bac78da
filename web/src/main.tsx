import "./font.css";
import "./style.css";
import { createRoot } from "react-dom/client";
import { App } from "./app";
import { load } from "./page";

createRoot(document.getElementById("page")!).render(<App />);
void load();
