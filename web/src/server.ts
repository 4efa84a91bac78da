// The server's HTTP interface (docs/serving.md). What an older server does not have is null here, and the page hides it.

import { FRAME_SAMPLES, FRAME_SECONDS, LINE_PAUSE, SAMPLE_RATE } from "./frames";
import { settings } from "./settings";

export interface Model {
  name: string;
  voices: string[];
  defaultVoice: string | null;
  defaultRole: string;
  sampling: Record<string, number>;
  hears: boolean; // writes down what it hears
  maxRoleTokens: number | null;
  opus: boolean; // may know raw Opus packets
}

export interface Voice {
  id: string;
  kind: "packaged" | "uploaded";
  name?: string; // what people call it, where that is not its id
  seconds: number | null;
  preview: boolean;
}

export interface SavedPersona {
  name: string;
  role: string;
  voice: string | null;
  sampling: Record<string, number> | null;
}

export interface Recording {
  id: string;
  started: number; // Unix seconds
  seconds: number;
  voice: string | null; // its id
  voice_name?: string | null;
  role: string;
  model: string;
}

/** The server wants a key, or another one. */
export class KeyWanted extends Error {}

/** The server answers with an error; the message is its sentence. */
export class Refused extends Error {
  constructor(
    message: string,
    readonly status: number,
  ) {
    super(message);
  }
}

function headers(): Record<string, string> {
  const { key } = settings.get();
  return key ? { Authorization: `Bearer ${key}` } : {};
}

async function ask(path: string, init: RequestInit = {}): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch(path, { ...init, headers: { ...headers(), ...(init.headers as Record<string, string>) } });
  } catch {
    throw new Refused("The server cannot be reached.", 0);
  }
  if (answer.ok) return answer;
  const said = (await answer.json().catch(() => null)) as { error?: { message?: string } } | null;
  const message = said?.error?.message ?? `The server answers ${answer.status}.`;
  if (answer.status === 401 || answer.status === 403) throw new KeyWanted(message);
  throw new Refused(message, answer.status);
}

/** The same, but null where the server does not have it. */
async function optional<T>(path: string): Promise<T | null> {
  try {
    return (await (await ask(path)).json()) as T;
  } catch (error) {
    if (error instanceof Refused && [404, 405, 501].includes(error.status)) return null;
    throw error;
  }
}

const listed = <T>(answer: T[] | { data?: T[] } | null): T[] | null =>
  answer === null ? null : Array.isArray(answer) ? answer : (answer.data ?? []);

interface V1Model {
  id: string;
  voices: string[];
  default_voice: string | null;
  default_role: string;
  sampling: Record<string, number>;
  sample_rate: number;
  frame_samples: number;
  hears?: boolean;
  max_role_tokens?: number | null;
}

/** The model that is served, and whether the server has the rest of /v1. */
export async function loadModel(): Promise<{ model: Model; v1: boolean }> {
  const found = listed(await optional<{ data: V1Model[] }>("v1/models"))?.[0];
  if (found) {
    checkGrid(found.sample_rate, found.frame_samples);
    return {
      v1: true,
      model: {
        name: found.id,
        voices: found.voices,
        defaultVoice: found.default_voice,
        defaultRole: found.default_role,
        sampling: found.sampling,
        hears: found.hears ?? false,
        maxRoleTokens: found.max_role_tokens ?? null,
        opus: true,
      },
    };
  }
  const old = (await (await ask("api/model")).json()) as V1Model & { name: string } & Record<string, number>;
  checkGrid(old.sample_rate, old.frame_samples);
  const { audio_temperature, audio_topk, text_temperature, word_temperature, text_topk } = old as Record<string, number>;
  return {
    v1: false,
    model: {
      name: old.name,
      voices: old.voices,
      defaultVoice: old.default_voice,
      defaultRole: old.default_role,
      sampling: { audio_temperature, audio_topk, text_temperature, word_temperature, text_topk } as Record<string, number>,
      hears: false,
      maxRoleTokens: null,
      opus: false,
    },
  };
}

function checkGrid(rate: number, samples: number): void {
  if (rate !== SAMPLE_RATE || samples !== FRAME_SAMPLES)
    throw new Error("This page is of another version than the server: reload it.");
}

export async function loadVoices(): Promise<Voice[] | null> {
  const found = listed(await optional<{ data: Omit<Voice, "preview">[] }>("v1/voices"));
  return found?.map((voice) => ({ ...voice, preview: true })) ?? null;
}

export const loadPersonas = async (): Promise<SavedPersona[] | null> =>
  listed(await optional<SavedPersona[] | { data: SavedPersona[] }>("v1/personas"));

export const loadRecordings = async (): Promise<Recording[] | null> =>
  listed(await optional<Recording[] | { data: Recording[] }>("v1/recordings"));

const named = (kind: string, id: string) => `v1/${kind}/${encodeURIComponent(id)}`;

export async function preview(voice: string): Promise<ArrayBuffer> {
  return (await ask(`${named("voices", voice)}/preview`)).arrayBuffer();
}

export async function addVoice(name: string, consent: string, file: Blob, filename: string): Promise<Voice> {
  const form = new FormData();
  form.set("name", name);
  form.set("consent", consent);
  form.set("file", file, filename);
  const voice = (await (await ask("v1/voices", { method: "POST", body: form })).json()) as Omit<Voice, "preview">;
  return { ...voice, preview: true };
}

export async function savePersona(persona: SavedPersona): Promise<void> {
  const { name, ...body } = persona;
  const headers = { "Content-Type": "application/json" };
  await ask(named("personas", name), { method: "PUT", headers, body: JSON.stringify(body) });
}

export async function remove(kind: "voices" | "personas" | "recordings", id: string): Promise<void> {
  await ask(named(kind, id), { method: "DELETE" });
}

/** A recording's details, and its sound: a stereo file, user left, agent right. */
export async function loadRecording(id: string): Promise<{ details: Record<string, unknown>; audio: Blob }> {
  const [details, audio] = await Promise.all([ask(named("recordings", id)), ask(`${named("recordings", id)}/audio`)]);
  return { details: (await details.json()) as Record<string, unknown>, audio: await audio.blob() };
}

/** A stored transcript as lines on the grid: pieces or utterances, each with a side, a text and a time in seconds. */
export function transcriptLines(
  transcript: unknown,
): { side: "agent" | "user"; start: number; end: number; text: string; done: true }[] {
  if (!Array.isArray(transcript)) return [];
  const lines: ReturnType<typeof transcriptLines> = [];
  for (const entry of transcript as Record<string, unknown>[]) {
    const side = ["user", "heard"].includes(String(entry.side ?? entry.speaker ?? entry.kind)) ? "user" : "agent";
    const text = String(entry.text ?? "");
    const start = Math.round(Number(entry.start ?? entry.time ?? entry.seconds ?? 0) / FRAME_SECONDS);
    const open = lines.findLast((line) => line.side === side);
    if (open && start - open.end <= LINE_PAUSE) Object.assign(open, { text: open.text + text, end: start });
    else lines.push({ side, start, end: start, text: text.trimStart(), done: true });
  }
  return lines;
}
