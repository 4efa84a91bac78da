// Who the agent is: presets, saved personas, and the words themselves.

import { useState } from "react";
import { chosenRole, page, removePersona, savePersona, usePersona } from "../page";
import { presets } from "../presets";
import { settings } from "../settings";
import { useStore } from "../store";
import { Icon } from "./icons";

const LONGEST = 6000; // characters; the server counts tokens
const CHARACTERS_A_TOKEN = 3.5; // of English, roughly

export function Role() {
  const { model } = useStore(page);
  useStore(settings);
  const role = chosenRole();
  return (
    <section className="card" aria-labelledby="role-title">
      <h2 id="role-title">Who answers</h2>
      <div className="tiles" role="group" aria-label="Example roles">
        {presets(model?.defaultRole ?? "").map(({ name, hint, text }) => (
          <button
            key={name}
            type="button"
            className="tile"
            aria-pressed={role.trim() === text}
            onClick={() => settings.set({ role: text })}
          >
            <b>{name}</b>
            <span>{hint}</span>
          </button>
        ))}
      </div>
      <Saved />
      <label className="unseen" htmlFor="role">
        Role
      </label>
      <textarea
        id="role"
        rows={5}
        maxLength={LONGEST}
        value={role}
        spellCheck
        aria-describedby="role-help"
        placeholder="Who is it? What does it know?"
        onChange={(event) => settings.set({ role: event.target.value })}
      />
      <div className="under" id="role-help">
        <p>Who it is, its name and what it knows, in short plain sentences.</p>
        <Length role={role} most={model?.maxRoleTokens ?? null} />
      </div>
    </section>
  );
}

function Length({ role, most }: { role: string; most: number | null }) {
  const tokens = Math.ceil(role.trim().length / CHARACTERS_A_TOKEN);
  const much = most !== null && tokens > most;
  return (
    <p className={much ? "length much" : "length"} id="role-length">
      {most === null ? `${role.length} characters` : `about ${tokens} of ${most} tokens`}
      {much && " – probably too long"}
    </p>
  );
}

function Saved() {
  const { personas } = useStore(page);
  const [naming, setNaming] = useState<string | null>(null);
  if (personas === null) return null;
  return (
    <div className="saved" role="group" aria-label="Saved personas">
      {personas.map((persona) => (
        <span key={persona.name} className="saved-one">
          <button type="button" onClick={() => usePersona(persona)}>
            {persona.name}
          </button>
          <button
            type="button"
            className="icon-button small"
            aria-label={`Delete ${persona.name}`}
            onClick={() => void removePersona(persona.name)}
          >
            <Icon name="close" />
          </button>
        </span>
      ))}
      {naming === null ? (
        <button type="button" className="quiet" onClick={() => setNaming("")}>
          <Icon name="plus" /> Save this persona
        </button>
      ) : (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            if (naming.trim()) void savePersona(naming.trim()).then(() => setNaming(null));
          }}
        >
          <input
            type="text"
            aria-label="Name of the persona"
            placeholder="Its name"
            maxLength={60}
            autoFocus
            value={naming}
            onChange={(event) => setNaming(event.target.value)}
            onKeyDown={(event) => event.key === "Escape" && setNaming(null)}
          />
          <button type="submit" disabled={!naming.trim()}>
            Save
          </button>
        </form>
      )}
    </div>
  );
}
