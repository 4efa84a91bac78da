// The one microphone that the page has open, for the sound check and for a conversation.

import { settings } from "../settings";
import { Store } from "../store";
import { NoMicrophone, Sound } from "./sound";
import type { Heard } from "./worklet";

interface State {
  open: "off" | "asking" | "on";
  denied: boolean; // by the browser, as far as is known
  problem: string | null;
  inputs: MediaDeviceInfo[];
  outputs: MediaDeviceInfo[]; // empty where pages may not choose
}

class Microphone {
  readonly state = new Store<State>({ open: "off", denied: false, problem: null, inputs: [], outputs: [] });
  readonly listeners = new Set<(heard: Heard) => void>();
  sound: Sound | null = null;
  private opening: Promise<Sound> | null = null;

  constructor() {
    navigator.mediaDevices?.addEventListener("devicechange", () => void this.list());
    void this.watchPermission();
  }

  /** The open microphone, opened if need be; throws `NoMicrophone`. */
  async open(): Promise<Sound> {
    if (this.sound) return this.sound;
    this.opening ??= this.start().finally(() => (this.opening = null));
    return this.opening;
  }

  private async start(): Promise<Sound> {
    this.state.set({ open: "asking", problem: null });
    try {
      const { microphone, speaker } = settings.get();
      const rate = Number(new URLSearchParams(location.search).get("rate")) || undefined;
      const sound = await Sound.open(microphone, speaker, rate);
      sound.onHeard = (heard) => this.listeners.forEach((listener) => listener(heard));
      sound.onLost = () => this.state.set({ problem: "The microphone was unplugged." });
      this.sound = sound;
      this.state.set({ open: "on", denied: false });
      await this.list();
      return sound;
    } catch (error) {
      const denied = error instanceof NoMicrophone && error.denied;
      this.state.set({ open: "off", denied, problem: (error as Error).message });
      throw error;
    }
  }

  close(): void {
    this.sound?.close();
    this.sound = null;
    this.state.set({ open: "off" });
  }

  async choose(device: string): Promise<void> {
    settings.set({ microphone: device });
    try {
      await this.sound?.changeMicrophone(device);
      this.state.set({ problem: null });
    } catch (error) {
      this.state.set({ problem: (error as Error).message });
    }
  }

  async chooseSpeaker(device: string): Promise<void> {
    settings.set({ speaker: device });
    await this.sound?.playOn(device).catch(() => this.state.set({ problem: "That loudspeaker cannot be used." }));
  }

  private async list(): Promise<void> {
    const devices = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
    const of = (kind: string) => devices.filter((device) => device.kind === kind && device.deviceId);
    const choosable = "setSinkId" in AudioContext.prototype;
    this.state.set({ inputs: of("audioinput"), outputs: choosable ? of("audiooutput") : [] });
  }

  /** Notice when a refusal is taken back, where the browser tells. */
  private async watchPermission(): Promise<void> {
    const permission = await navigator.permissions?.query({ name: "microphone" as PermissionName }).catch(() => null);
    if (!permission) return;
    const look = () => {
      const denied = permission.state === "denied";
      if (denied || this.state.get().denied) this.state.set({ denied, ...(denied ? {} : { problem: null }) });
    };
    permission.onchange = look;
    look();
  }
}

export const microphone = new Microphone();
