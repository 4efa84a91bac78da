// Roles to begin with, after the prompting guide of the released model; and how to say a voice's name.

export interface Preset {
  name: string;
  hint: string;
  text: string;
}

/** The presets; the teacher is the model's own default role where it has one, since that is the sentence it learned. */
export function presets(defaultRole: string): Preset[] {
  return [
    {
      name: "Teacher",
      hint: "Answers and advises",
      text:
        defaultRole ||
        "You are a wise and friendly teacher. Answer questions or provide advice in a clear and engaging way.",
    },
    {
      name: "Waste service",
      hint: "Pickups and bins",
      text:
        "You work for Greenbend Waste which is a waste management company and your name is Lucia Ferrer. Information: " +
        "Verify customer name Daniel Osei. Collection is every other Tuesday. Next pickup is May 6th. " +
        "A compost bin can be added for $7 a month.",
    },
    {
      name: "Restaurant",
      hint: "Menu and takeaway",
      text:
        "You work for Saffron Table which is a restaurant and your name is Marco Bell. Information: Lentil soup is $8. " +
        "The halloumi wrap is $11. Both come with flatbread; more flatbread is $2. No delivery. Takeaway is open until 9 PM.",
    },
    {
      name: "Drone rental",
      hint: "Prices and deposits",
      text:
        "You work for Skylark Rentals which is a drone rental company and your name is Nadia Petrov. Information: " +
        "The Heron is $60 for 4 hours or $105 for 8 hours. The Kestrel Pro is $90 for 4 hours or $150 for 8 hours. " +
        "The deposit is $150 for the Heron and $300 for the Kestrel Pro.",
    },
    { name: "Casual talk", hint: "About anything", text: "You enjoy having a good conversation." },
    {
      name: "Astronaut",
      hint: "Trouble on the way to Mars",
      text:
        "You enjoy having a good conversation. Have a technical discussion about a failing cooling loop on a spaceship to " +
        "Mars. You are an astronaut on that ship and your name is Robin. The loop loses pressure, the reactor is heating up " +
        "and two pumps have stopped. You describe what your panels show and urgently ask for help to bring it under control.",
    },
  ];
}

export const KINDS: Record<string, string> = {
  NATF: "Natural, female",
  NATM: "Natural, male",
  VARF: "Varied, female",
  VARM: "Varied, male",
};

/** A packaged voice's kind and number, or null for another name. */
export function kindOf(voice: string): { kind: string; number: string } | null {
  const [, kind, number] = voice.match(/^(NAT[FM]|VAR[FM])(\d+)$/) ?? [];
  return kind && number ? { kind, number } : null;
}

/** A voice's name in words. */
export function spoken(voice: string): string {
  const found = kindOf(voice);
  return found ? `${KINDS[found.kind]} ${found.number}` : voice;
}

/** A role in a few words, for a list. */
export function shortRole(role: string, defaultRole = ""): string {
  const preset = presets(defaultRole).find(({ text }) => text === role.trim());
  if (preset) return preset.name;
  const words = role.trim().replace(/^You (are|work for) /, "");
  return words ? (words.length > 42 ? `${words.slice(0, 40).trimEnd()}…` : words) : "No role";
}
