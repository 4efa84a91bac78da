// A conversation that is over: hear it again, read it, take it along.

import { useEffect, useMemo, useState } from "react";
import { Player } from "../audio/player";
import { clock, FRAME_SECONDS } from "../frames";
import { home, page, type Replay, talk, voiceName } from "../page";
import { Icon } from "../parts/icons";
import { Timeline } from "../parts/timeline";
import { Transcript } from "../parts/transcript";
import { shortRole } from "../presets";
import { useStore } from "../store";
import type { Conversation } from "../talk/history";
import { Lanes } from "../talk/lanes";

export function After({ replay }: { replay: Replay }) {
  const { conversation, audio, fresh } = replay;
  const { problem, model } = useStore(page);
  const player = usePlayer(audio);
  const lanes = useMemo(() => (player instanceof Player ? Lanes.of(player.user, player.agent) : null), [player]);
  const { started, seconds, voice, role, seed, lines } = conversation;
  const seek = player instanceof Player ? (to: number) => player.seek(to) : undefined;
  return (
    <main className="after">
      <p id="status" role="status" className="unseen">
        {fresh ? "The conversation has ended" : "An earlier conversation"}
      </p>
      <header>
        <button type="button" className="quiet" onClick={home}>
          <Icon name="back" /> {fresh ? "Change the persona" : "Back"}
        </button>
        <h1>{fresh ? "That was your conversation" : shortRole(role, model?.defaultRole)}</h1>
        <p className="facts">
          {[
            new Date(started).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" }),
            clock(seconds),
            voice && voiceName(voice),
            fresh && shortRole(role, model?.defaultRole),
            seed !== null && `seed ${seed}`,
          ]
            .filter(Boolean)
            .join(" · ")}
        </p>
      </header>
      {problem && (
        <p className="notice" id="problem" role="alert">
          {problem}
        </p>
      )}
      <section className="stage card whole" aria-label="Replay">
        {lanes && player instanceof Player ? (
          <Replayed lanes={lanes} player={player} />
        ) : (
          <p className="help">
            {player === null
              ? "Reading the recording…"
              : "This browser cannot play the recording, but it can be downloaded."}
          </p>
        )}
      </section>
      <div className="beside">
        <Now player={player}>
          {(now) => <Transcript lines={lines} empty="Nothing was said in words." now={now} onSeek={seek} />}
        </Now>
        {lanes && <Summary lanes={lanes} />}
      </div>
      <div className="dock">
        <button type="button" id="talk" className="primary" onClick={() => void talk()}>
          <Icon name="microphone" />
          <span>{fresh ? "Talk again" : "Talk"}</span>
        </button>
        <Download
          id="download-audio"
          name={`${stem(conversation)}.${extension(audio)}`}
          make={() => audio}
          icon="download"
        >
          Recording
        </Download>
        <Download
          id="download-text"
          name={`${stem(conversation)}.txt`}
          make={() => transcript(conversation)}
          icon="text"
        >
          Transcript
        </Download>
      </div>
    </main>
  );
}

/** The recording, ready to play; null while it is read, false when the browser cannot. */
function usePlayer(audio: Blob): Player | null | false {
  const [player, setPlayer] = useState<Player | null | false>(null);
  useEffect(() => {
    let mine: Player | null = null;
    let gone = false;
    setPlayer(null);
    Player.of(audio).then(
      (ready) => {
        if (gone) return;
        mine = ready;
        setPlayer(ready);
      },
      () => gone || setPlayer(false),
    );
    return () => {
      gone = true;
      mine?.close();
    };
  }, [audio]);
  useEffect(() => {
    if (!(player instanceof Player)) return;
    const act = ({ detail }: CustomEvent<string>) => {
      if (detail === "toggle") player.toggle();
      else player.seek(player.state.get().position + (detail === "back" ? -5 : 5));
    };
    addEventListener("replay", act as EventListener);
    return () => removeEventListener("replay", act as EventListener);
  }, [player]);
  return player;
}

function Replayed({ lanes, player }: { lanes: Lanes; player: Player }) {
  const { playing, position } = useStore(player.state);
  return (
    <>
      <Timeline lanes={lanes} whole position={position} onSeek={(to) => player.seek(to)} />
      <div className="transport">
        <button
          type="button"
          id="play"
          className="round"
          aria-label={playing ? "Pause" : "Play"}
          onClick={() => player.toggle()}
        >
          <Icon name={playing ? "pause" : "play"} />
        </button>
        <input
          type="range"
          aria-label="Position"
          min={0}
          max={player.sound.duration}
          step={FRAME_SECONDS}
          value={position}
          aria-valuetext={clock(position)}
          onChange={(event) => player.seek(Number(event.target.value))}
        />
        <time>
          {clock(position)} / {clock(player.sound.duration)}
        </time>
      </div>
    </>
  );
}

/** Gives its child the moment that is being heard; before anything was played, none. */
function Now({ player, children }: { player: Player | null | false; children: (now: number) => React.ReactNode }) {
  return player instanceof Player ? <Moving player={player}>{children}</Moving> : children(-1);
}

function Moving({ player, children }: { player: Player; children: (now: number) => React.ReactNode }) {
  const { playing, position } = useStore(player.state);
  return children(playing || position > 0 ? position : -1);
}

function Summary({ lanes }: { lanes: Lanes }) {
  const { agent, user, both, answer, youInterrupted, itInterrupted, backchannels } = useMemo(
    () => lanes.summary(),
    [lanes],
  );
  const facts: [string, string][] = [
    ["agent spoke", clock(agent)],
    ["you spoke", clock(user)],
    ["at once", `${both.toFixed(1)} s`],
    ["it answered after", answer === null ? "–" : `${answer.toFixed(1)} s`],
    ["you interrupted", String(youInterrupted)],
    ["agent interrupted", String(itInterrupted)],
    ["backchannels", String(backchannels)],
  ];
  return (
    <dl className="figures" id="summary" aria-label="The conversation in figures">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

interface DownloadProps {
  id: string;
  name: string;
  make: () => Blob;
  icon: "download" | "text";
  children: string;
}

function Download({ id, name, make, icon, children }: DownloadProps) {
  const save = () => {
    const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(make()), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  };
  return (
    <button type="button" id={id} onClick={save}>
      <Icon name={icon} />
      <span>{children}</span>
    </button>
  );
}

const stem = ({ started }: Conversation) =>
  `conversation-${new Date(started).toISOString().slice(0, 19).replaceAll(":", "")}`;

const extension = ({ type }: Blob) => (/ogg/.test(type) ? "ogg" : /flac/.test(type) ? "flac" : "wav");

function transcript({ started, seconds, model, voice, role, seed, lines }: Conversation): Blob {
  const head = [
    `Conversation of ${new Date(started).toISOString()}, ${clock(seconds)}`,
    `Model: ${model}`,
    `Voice: ${page.get().voices.find(({ id }) => id === voice)?.name ?? voice ?? "none"} (synthetic)`,
    `Role: ${role || "none"}`,
    ...(seed === null ? [] : [`Seed: ${seed}`]),
  ];
  const names = { agent: "Agent: ", user: "You: ", note: "" };
  const said = lines.map(({ side, start, text }) => `[${clock(start * FRAME_SECONDS)}] ${names[side]}${text}`);
  return new Blob([`${[...head, "", ...said].join("\n")}\n`], { type: "text/plain" });
}
