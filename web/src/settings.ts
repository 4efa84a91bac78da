// What the page remembers in this browser from one visit to the next.

import { Store } from "./store";

export interface Settings {
  role: string | null; // null: the model's own
  voice: string | null;
  seed: string; // empty: drawn by the server
  audio_temperature: string; // empty: the server's
  audio_topk: string;
  text_temperature: string;
  word_temperature: string;
  text_topk: string;
  microphone: string; // device id, empty for the system's choice
  speaker: string;
  transport: "auto" | "pcm";
  keep: boolean; // conversations, in this browser
  record: boolean; // on the server, where it can
  keys: boolean; // single-key shortcuts
  key: string; // the API key
}

const PLAIN: Settings = {
  role: null,
  voice: null,
  seed: "",
  audio_temperature: "",
  audio_topk: "",
  text_temperature: "",
  word_temperature: "",
  text_topk: "",
  microphone: "",
  speaker: "",
  transport: "auto",
  keep: true,
  record: false,
  keys: true,
  key: "",
};

export const SAMPLING = ["audio_temperature", "audio_topk", "text_temperature", "word_temperature", "text_topk"] as const;

const PLACE = "personaplex";

function remembered(): Partial<Settings> {
  try {
    return JSON.parse(localStorage.getItem(PLACE) ?? "{}") as Partial<Settings>;
  } catch {
    return {};
  }
}

/** A key in the page's address is taken out of it, so that it is neither shown nor bookmarked. */
function keyFromAddress(): Partial<Settings> {
  const address = new URL(location.href);
  const key = address.searchParams.get("key");
  if (key === null) return {};
  address.searchParams.delete("key");
  history.replaceState(null, "", address);
  return { key };
}

export const settings = new Store<Settings>({ ...PLAIN, ...remembered(), ...keyFromAddress() });

function keep(): void {
  try {
    localStorage.setItem(PLACE, JSON.stringify(settings.get()));
  } catch {
    // a private window may keep nothing
  }
}

keep();
settings.subscribe(keep);
