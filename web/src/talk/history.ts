// Conversations that this browser keeps, in IndexedDB: what was said, and the recording.

import type { Line } from "./call";

export interface Conversation {
  id: string;
  started: number; // Unix milliseconds
  seconds: number;
  model: string;
  voice: string | null;
  role: string;
  seed: number | null;
  lines: Line[];
}

const MOST = 30; // conversations
const [INDEX, SOUND] = ["conversations", "recordings"];

function open(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open("personaplex", 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore(INDEX, { keyPath: "id" });
      request.result.createObjectStore(SOUND);
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("no IndexedDB"));
  });
}

async function inside<T>(
  mode: IDBTransactionMode,
  work: (index: IDBObjectStore, sound: IDBObjectStore) => IDBRequest<T>,
): Promise<T> {
  const database = await open();
  try {
    return await new Promise((resolve, reject) => {
      const transaction = database.transaction([INDEX, SOUND], mode);
      const request = work(transaction.objectStore(INDEX), transaction.objectStore(SOUND));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = transaction.onerror = () => reject(transaction.error ?? new Error("IndexedDB failed"));
    });
  } finally {
    database.close();
  }
}

/** Newest first; empty where the browser keeps nothing. */
export async function kept(): Promise<Conversation[]> {
  const all = await inside<Conversation[]>("readonly", (index) => index.getAll()).catch(() => []);
  return all.sort((a, b) => b.started - a.started);
}

/** Keep one; the oldest go when there are many. Rejects when the browser has no room. */
export async function keep(conversation: Conversation, audio: Blob): Promise<void> {
  await inside("readwrite", (index, sound) => {
    sound.put(audio, conversation.id);
    return index.put(conversation);
  });
  for (const { id } of (await kept()).slice(MOST)) await forget(id);
}

export async function recording(id: string): Promise<Blob | undefined> {
  return inside<Blob | undefined>("readonly", (_, sound) => sound.get(id) as IDBRequest<Blob | undefined>);
}

export async function forget(id: string): Promise<void> {
  await inside("readwrite", (index, sound) => {
    sound.delete(id);
    return index.delete(id);
  });
}

export async function forgetAll(): Promise<void> {
  await inside("readwrite", (index, sound) => {
    sound.clear();
    return index.clear();
  });
}
