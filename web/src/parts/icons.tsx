// Line icons, drawn on a grid of 24.

const PATHS = {
  microphone:
    "M12 15a3.5 3.5 0 0 0 3.5-3.5v-5a3.5 3.5 0 0 0-7 0v5A3.5 3.5 0 0 0 12 15Zm6-3.5a6 6 0 0 1-12 0M12 17.5V21",
  muted:
    "M12 15a3.5 3.5 0 0 0 3.5-3.5v-5a3.5 3.5 0 0 0-7 0v5A3.5 3.5 0 0 0 12 15Zm6-3.5a6 6 0 0 1-12 0M12 17.5V21M4 4l16 16",
  end: "M3 14c0-2 4-4 9-4s9 2 9 4v1.5a1 1 0 0 1-1.2 1L16.5 16a1 1 0 0 1-.8-1v-1.6a13 13 0 0 0-7.4 0V15a1 1 0 0 1-.8 1l-3.3.6A1 1 0 0 1 3 15.5Z",
  play: "M8 5.5v13l10.5-6.5Z",
  pause: "M8.5 5.5v13M15.5 5.5v13",
  stop: "M7 7h10v10H7Z",
  download: "M12 4v11m0 0 4.5-4.5M12 15l-4.5-4.5M5 19.5h14",
  trash: "M5 7h14M10 7V4.5h4V7m-7.5 0 .8 12.5h9.4L17.5 7M10.5 11v5m3-5v5",
  plus: "M12 5v14M5 12h14",
  headphones:
    "M4.5 15v-2.5a7.5 7.5 0 0 1 15 0V15M4.5 14h3v6h-1.5a1.5 1.5 0 0 1-1.5-1.5Zm15 0h-3v6h1.5a1.5 1.5 0 0 0 1.5-1.5Z",
  close: "M6 6l12 12M18 6 6 18",
  back: "M14.5 5.5 8 12l6.5 6.5",
  check: "M5 12.5 10 17.5 19.5 7",
  waves: "M4 10.5v3M8 7v10M12 4v16M16 8v8M20 10.5v3",
  text: "M5 6h14M5 12h14M5 18h9",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg className="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
