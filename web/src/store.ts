// A value that tells its readers when it changes.

import { useSyncExternalStore } from "react";

export class Store<T extends object> {
  private readers = new Set<() => void>();

  constructor(private value: T) {}

  get = (): T => this.value;

  /** Change some of its fields. */
  set(patch: Partial<T>): void {
    this.value = { ...this.value, ...patch };
    for (const reader of [...this.readers]) reader();
  }

  subscribe = (reader: () => void): (() => void) => {
    this.readers.add(reader);
    return () => this.readers.delete(reader);
  };
}

export function useStore<T extends object>(store: Store<T>): T {
  return useSyncExternalStore(store.subscribe, store.get);
}
