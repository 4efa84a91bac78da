// What the page shows and what its buttons do. Knows no markup.

import { microphone } from "./audio/microphone";
import { spoken } from "./presets";
import * as server from "./server";
import { SAMPLING, settings } from "./settings";
import { Store } from "./store";
import { Call, type Line, type Result } from "./talk/call";
import * as history from "./talk/history";
import { OpusWire } from "./talk/wire";

/** A conversation that is over, from wherever it is kept. */
export interface Replay {
  conversation: history.Conversation;
  audio: Blob;
  fresh: boolean; // it has just ended
}

interface Page {
  phase: "loading" | "locked" | "failed" | "ready";
  problem: string | null;
  model: server.Model | null;
  voices: server.Voice[]; // with those that were uploaded
  canClone: boolean; // where the server keeps personas it keeps voices too
  personas: server.SavedPersona[] | null; // null: the server keeps none
  recordings: server.Recording[] | null;
  kept: history.Conversation[];
  call: Call | null;
  replay: Replay | null;
}

export const page = new Store<Page>({
  phase: "loading",
  problem: null,
  model: null,
  voices: [],
  canClone: false,
  personas: null,
  recordings: null,
  kept: [],
  call: null,
  replay: null,
});

const complain = (error: unknown) => page.set({ problem: (error as Error).message });

// --- What the server has ---

export async function load(): Promise<void> {
  try {
    const { model, v1 } = await server.loadModel();
    const plain = model.voices.map((id): server.Voice => ({ id, kind: "packaged", seconds: null, preview: false }));
    const [voices, personas, recordings] = v1
      ? await Promise.all([server.loadVoices(), server.loadPersonas(), server.loadRecordings()])
      : [null, null, null];
    page.set({
      phase: "ready",
      problem: null,
      model,
      voices: voices ?? plain,
      canClone: personas !== null,
      personas,
      recordings,
      kept: await history.kept(),
    });
    document.title = `PersonaPlex · ${model.name}`;
  } catch (error) {
    if (error instanceof server.KeyWanted)
      page.set({ phase: "locked", problem: settings.get().key ? error.message : null });
    else page.set({ phase: "failed", problem: `The page could not be set up. ${(error as Error).message}` });
  }
}

export async function unlock(key: string): Promise<void> {
  settings.set({ key });
  await load();
}

/** The voice that will speak. */
export function chosenVoice(): string | null {
  const { model, voices } = page.get();
  const { voice } = settings.get();
  return voices.some(({ id }) => id === voice) ? voice : (model?.defaultVoice ?? null);
}

/** A voice in words, by its id. */
export const voiceName = (id: string): string =>
  spoken(page.get().voices.find((voice) => voice.id === id)?.name ?? id);

/** The role that will be played. */
export const chosenRole = (): string => settings.get().role ?? page.get().model?.defaultRole ?? "";

const chosenSampling = (): Record<string, string> =>
  Object.fromEntries(SAMPLING.map((name) => [name, settings.get()[name]]).filter(([, value]) => value !== ""));

export async function addVoice(name: string, consent: string, file: Blob, filename: string): Promise<void> {
  const voice = await server.addVoice(name, consent, file, filename);
  page.set({ voices: [...page.get().voices, voice] });
  settings.set({ voice: voice.id });
}

export async function removeVoice(id: string): Promise<void> {
  try {
    await server.remove("voices", id);
    page.set({ voices: page.get().voices.filter((voice) => voice.id !== id) });
  } catch (error) {
    complain(error);
  }
}

export async function savePersona(name: string): Promise<void> {
  try {
    const sampling = Object.fromEntries(Object.entries(chosenSampling()).map(([key, value]) => [key, Number(value)]));
    await server.savePersona({ name, role: chosenRole(), voice: chosenVoice(), sampling });
    page.set({ personas: await server.loadPersonas() });
  } catch (error) {
    complain(error);
  }
}

export function usePersona({ role, voice, sampling }: server.SavedPersona): void {
  const values = Object.fromEntries(
    SAMPLING.map((name) => [name, sampling?.[name] === undefined ? "" : String(sampling[name])]),
  );
  settings.set({ role, voice, ...values });
}

export async function removePersona(name: string): Promise<void> {
  try {
    await server.remove("personas", name);
    page.set({ personas: (page.get().personas ?? []).filter((persona) => persona.name !== name) });
  } catch (error) {
    complain(error);
  }
}

let previewing: AudioContext | null = null;

/** Play a few seconds of a voice; resolves when they are over or another one begins. */
export async function preview(voice: string): Promise<void> {
  await stopPreview();
  const context = (previewing = new AudioContext());
  try {
    const source = context.createBufferSource();
    source.buffer = await context.decodeAudioData(await server.preview(voice));
    source.connect(context.destination);
    source.start();
    await new Promise<void>((resolve) => {
      source.onended = () => resolve();
      context.onstatechange = () => context.state === "closed" && resolve();
    });
  } catch (error) {
    if (error instanceof server.Refused && error.status === 404) {
      page.set({ voices: page.get().voices.map((one) => ({ ...one, preview: false })) }); // a server without previews
    } else if (context.state !== "closed") complain(error);
  }
  if (previewing === context) await stopPreview();
}

export async function stopPreview(): Promise<void> {
  const context = previewing;
  previewing = null;
  if (context && context.state !== "closed") await context.close();
}

// --- The conversation ---

export async function talk(): Promise<void> {
  const { model, call, recordings } = page.get();
  if (call || !model) return;
  void stopPreview();
  const [role, voice] = [chosenRole(), chosenVoice()];
  const { seed, key, transport, record } = settings.get();
  const query: Record<string, string> = { text_prompt: role, ...chosenSampling() };
  if (voice) query.voice_prompt = voice;
  if (seed) query.seed = seed;
  if (key) query.key = key;
  if (recordings) query.record = record ? "1" : "0";
  const opus = model.opus && transport === "auto" && (await OpusWire.works());
  if (page.get().call) return;
  const mine = new Call({ query, opus, model: model.name, role, voice }, ended);
  page.set({ call: mine, replay: null, problem: null });
  await mine.begin();
}

async function ended({ conversation, audio, problem }: Result): Promise<void> {
  if (!conversation || !audio) return page.set({ call: null, problem });
  page.set({ call: null, replay: { conversation, audio, fresh: true }, problem });
  if (settings.get().keep) {
    try {
      await history.keep(conversation, audio);
    } catch {
      complain(new Error("This browser has no room to keep the conversation: download it if you want it."));
    }
  }
  await refresh();
}

/** Bring the lists of conversations up to date. */
export async function refresh(): Promise<void> {
  page.set({ kept: await history.kept() });
  if (page.get().recordings) page.set({ recordings: await server.loadRecordings().catch(() => page.get().recordings) });
}

export function home(): void {
  page.set({ replay: null, problem: null });
  void refresh(); // the server may have finished a recording only now
}

export async function showKept(conversation: history.Conversation): Promise<void> {
  const audio = await history.recording(conversation.id).catch(() => undefined);
  if (audio) page.set({ replay: { conversation, audio, fresh: false }, problem: null });
  else complain(new Error("The browser has thrown this recording away."));
}

export async function showRecording(recording: server.Recording): Promise<void> {
  try {
    const { details, audio } = await server.loadRecording(recording.id);
    const { id, seconds, model, role } = recording;
    const voice = recording.voice_name ?? recording.voice;
    const seed = typeof details.seed === "number" ? details.seed : null;
    const lines = server.transcriptLines(details.transcript);
    const conversation = {
      id,
      started: 1000 * recording.started,
      seconds,
      model,
      voice,
      role,
      seed,
      lines: lines as Line[],
    };
    page.set({ replay: { conversation, audio, fresh: false }, problem: null });
  } catch (error) {
    complain(error);
  }
}

export async function forgetKept(id: string): Promise<void> {
  await history.forget(id).catch(complain);
  await refresh();
}

export async function forgetAll(): Promise<void> {
  await history.forgetAll().catch(complain);
  await refresh();
}

export async function forgetRecording(id: string): Promise<void> {
  await server.remove("recordings", id).catch(complain);
  await refresh();
}

// A refusal of the microphone that is taken back clears what was said about it.
microphone.state.subscribe(() => {
  const { denied, open } = microphone.state.get();
  if (!denied && open === "off" && wasDenied) page.set({ problem: null });
  wasDenied = denied;
});
let wasDenied = false;
