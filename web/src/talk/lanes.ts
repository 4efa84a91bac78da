// Both voices on the grid of frames: how loud each was, who spoke, what that meant.

import { loudness, rms } from "../audio/level";
import { FRAME_SAMPLES, FRAME_SECONDS } from "../frames";
import { answers, type Mark, marks, Voicing } from "./turns";

export interface Column {
  agent: number; // loudness, 0..1
  user: number;
  muted: boolean;
  agentSpeaks: boolean;
  userSpeaks: boolean;
}

export class Lanes {
  readonly columns: Column[] = [];
  readonly agent = new Voicing(-48);
  readonly user = new Voicing(-46);
  readonly listeners = new Set<() => void>();

  /** Lanes of a whole recording: user and agent, 24 kHz. */
  static of(user: Float32Array, agent: Float32Array): Lanes {
    const lanes = new Lanes();
    for (let at = 0; at + FRAME_SAMPLES <= user.length; at += FRAME_SAMPLES) {
      lanes.add(rms(user.subarray(at, at + FRAME_SAMPLES)), rms(agent.subarray(at, at + FRAME_SAMPLES)), false);
    }
    lanes.agent.finish();
    lanes.user.finish();
    return lanes;
  }

  /** One more frame; levels are RMS. */
  add(userLevel: number, agentLevel: number, muted: boolean): void {
    this.columns.push({
      agent: loudness(agentLevel),
      user: loudness(userLevel),
      muted,
      agentSpeaks: false,
      userSpeaks: false,
    });
    for (let n = this.agent.add(agentLevel); n > 0; n--) this.columns.at(-n)!.agentSpeaks = true;
    for (let n = this.user.add(userLevel); n > 0; n--) this.columns.at(-n)!.userSpeaks = true;
    this.listeners.forEach((listener) => listener());
  }

  get marks(): Mark[] {
    return marks(this.agent.stretches, this.user.stretches, this.columns.length);
  }

  /** The conversation in figures; times in seconds. */
  summary() {
    const count = (test: (column: Column) => boolean) => this.columns.filter(test).length * FRAME_SECONDS;
    const all = this.marks;
    const times = answers(this.agent.stretches, this.user.stretches).sort((a, b) => a - b);
    return {
      agent: count((column) => column.agentSpeaks),
      user: count((column) => column.userSpeaks),
      both: count((column) => column.agentSpeaks && column.userSpeaks),
      answer: times.length ? times[Math.floor(times.length / 2)]! * FRAME_SECONDS : null, // median
      youInterrupted: all.filter(({ kind, side }) => kind === "interruption" && side === "user").length,
      itInterrupted: all.filter(({ kind, side }) => kind === "interruption" && side === "agent").length,
      backchannels: all.filter(({ kind }) => kind === "backchannel").length,
    };
  }
}
