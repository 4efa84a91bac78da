// How loud something is. Knows samples only.

export function rms(samples: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < samples.length; i++) sum += samples[i]! * samples[i]!;
  return Math.sqrt(sum / Math.max(1, samples.length));
}

export const decibels = (level: number): number => 20 * Math.log10(level + 1e-9);

/** Loudness as it is heard: -60 dB and below is 0, -6 dB and above is 1. */
export function loudness(level: number): number {
  return Math.max(0, Math.min(1, (decibels(level) + 60) / 54));
}

export function toInt16(samples: Float32Array): Int16Array<ArrayBuffer> {
  return Int16Array.from(samples, (x) => Math.max(-32768, Math.min(32767, Math.round(x * 32767))));
}

export function toFloat(samples: Int16Array): Float32Array<ArrayBuffer> {
  return Float32Array.from(samples, (x) => x / 32768);
}
