/**
 * What the things are called in captions, where that differs from their names in Unicode, and why.
 *
 * A name is what somebody would say who sees the drawing, in lower case. Two things never have the same name, a name is
 * no plural of another one (there would be no telling "two red books" from "books"), and it holds no number word where
 * that can be helped: "two two-hump camels".
 */

/** The drawing shows something else than the name says, or the name says what the drawing does not show. */
const asDrawn = {
  bug: "caterpillar",
  cooking: "fried egg",
  "shallow pan of food": "paella",
  "steaming bowl": "bowl of noodles",
  "hot beverage": "cup of coffee",
  "teacup without handle": "teacup",
  "bottle with popping cork": "champagne bottle",
  "soft ice cream": "ice cream cone",
  "fork and knife with plate": "dinner plate",
  "fish cake with swirl": "fish cake",
  "cut of meat": "steak",
  "pouring liquid": "pouring glass",
  "beverage box": "juice box",
  "canned food": "can of food",
  "leafy green": "lettuce",
  salt: "salt shaker",
  ice: "ice cube",
  sake: "sake bottle",
  mate: "mate gourd",
  "poultry leg": "chicken leg",
  "beach with umbrella": "beach",
  "building construction": "construction site",
  construction: "road barrier",
  wedding: "wedding chapel",
  foggy: "foggy city",
  "night with stars": "starry night",
  "police car light": "police light",
  "high voltage": "lightning bolt",
  "umbrella on ground": "beach umbrella",
  "umbrella with rain drops": "umbrella in the rain",
  snowman: "snowman in the snow",
  "snowman without snow": "snowman",
  wood: "log",
  brick: "brick wall",
  wheel: "car wheel",
  tennis: "tennis ball",
  bowling: "set of bowling pins",
  "cricket game": "cricket bat",
  "field hockey": "field hockey stick",
  "ice hockey": "ice hockey stick",
  lacrosse: "lacrosse stick",
  "ping pong": "ping pong paddle",
  badminton: "badminton racket",
  "rugby football": "rugby ball",
  "flag in hole": "golf flag",
  "pool 8 ball": "billiard ball",
  "video game": "game controller",
  joker: "joker card",
  "mahjong red dragon": "mahjong tile",
  "performing arts": "pair of theater masks",
  "artist palette": "paint palette",
  thread: "spool of thread",
  yarn: "ball of yarn",
  knot: "knotted rope",
  "musical score": "treble clef",
  "closed book": "red book",
  "computer disk": "minidisc",
  "optical disk": "compact disc",
  "chart increasing": "rising chart",
  "chart decreasing": "falling chart",
  "chart increasing with yen": "chart with yen sign",
  "black nib": "pen nib",
  link: "chain link",
  chains: "iron chain",
  locked: "padlock",
  unlocked: "open padlock",
  "locked with pen": "padlock with pen",
  "locked with key": "padlock with key",
  shower: "shower head",
  elevator: "elevator door",
  "roll of paper": "roll of toilet paper",
} as const;

/** Plain words instead of Unicode's, often shorter. */
const plainly = {
  "lady beetle": "ladybug",
  "leaf fluttering in wind": "fluttering leaf",
  "front-facing baby chick": "front-facing chick",
  "kiwi fruit": "kiwi",
  "baguette bread": "baguette",
  "tumbler glass": "tumbler",
  "globe showing Europe-Africa": "globe with africa",
  "globe showing Americas": "globe with america",
  "globe showing Asia-Australia": "globe with asia",
  "globe with meridians": "wire globe",
  "snow-capped mountain": "snowy mountain",
  "sport utility vehicle": "off-road car",
  "articulated lorry": "lorry",
  automobile: "car",
  "oncoming automobile": "oncoming car",
  "manual wheelchair": "wheelchair",
  "ring buoy": "lifebuoy",
  "hourglass done": "hourglass",
  "hourglass not done": "running hourglass",
  "light rail": "light rail train",
  "sun with face": "sun face",
  droplet: "water drop",
  "water wave": "wave",
  "moon viewing ceremony": "moon viewing",
  "wrapped gift": "gift",
  "reminder ribbon": "awareness ribbon",
  "fishing pole": "fishing rod",
  "gem stone": "gem",
  "folding hand fan": "hand fan",
  "thong sandal": "sandal",
  "billed cap": "cap",
  headphone: "headphones",
  "bell with slash": "crossed-out bell",
  "speaker low volume": "speaker at low volume",
  "speaker medium volume": "speaker at medium volume",
  "speaker high volume": "speaker at high volume",
  "notebook with decorative cover": "decorated notebook",
  "page with curl": "curled page",
  "page facing up": "page",
  "e-mail": "email",
  "ballot box with ballot": "ballot box",
  "identification card": "id card",
} as const;

/** A name that is the plural of another thing's, or of a part of it. */
const noPlurals = {
  "musical notes": "group of musical notes",
  books: "stack of books",
  houses: "row of houses",
  "linked paperclips": "paperclip chain",
  "paw prints": "pair of paw prints",
} as const;

/** A number word in a name that captions with counts would trip over. */
const noNumbers = {
  "two-hump camel": "bactrian camel",
  "four leaf clover": "lucky clover",
  "one-piece swimsuit": "swimsuit",
  "1st place medal": "gold medal",
  "2nd place medal": "silver medal",
  "3rd place medal": "bronze medal",
} as const;

const mended: Readonly<Record<string, string>> = { ...asDrawn, ...plainly, ...noPlurals, ...noNumbers };

/** The names in Unicode that are called otherwise here. */
export const mendedNames = Object.keys(mended);

/** @param name in Unicode, as unicode-emoji-json has it */
export function plainName(name: string): string {
  const clock = /^(\w+)-thirty$/.exec(name);
  if (clock) return `clock at half past ${clock[1]}`;
  return (mended[name] ?? name).toLowerCase();
}

/**
 * Things that are told from others by where left and right or up and down are, and the Earth, of which there is one. By
 * their names in Unicode.
 */
export const isHanded = (name: string): boolean => handed.test(name);

const handed = new RegExp(
  [
    "^\\w+-thirty$",
    "^(waxing|waning|first quarter|last quarter|crescent) (.*)?moon",
    "^magnifying glass tilted",
    "^airplane (departure|arrival)$",
    "^chart (in|de)creasing",
    "^globe showing",
    "^map of|^world map$",
  ].join("|"),
);

/** Things of which there are others that look much the same. By their names here. */
export const hasLookalikes = (name: string): boolean =>
  /\b(with|at|face|front-facing|oncoming|running|speaker|moon|clock|sun)\b/.test(name);

/**
 * Things that photographs of Tiny ImageNet or CIFAR-10 show under the same or nearly the same name: whoever trains on
 * these has heard it.
 */
const photographed = [
  "gorilla orangutan dog cat lion horse deer bison ox pig koala panda bird goose frog jellyfish snail ladybug cockroach",
  "spider_web scorpion fly mushroom lemon banana bell_pepper pretzel pizza ice_cream lollipop teapot fountain bullet_train",
  "trolleybus car tractor ship airplane hourglass stopwatch umbrella basketball volleyball rugby_ball teddy_bear",
  "sewing_needle sunglasses kimono bikini backpack sandal abacus candle syringe plunger bathtub broom bucket camel elephant",
  "bear penguin coral lobster butterfly dinner_plate spoon compass barber_pole racing_car chair keyboard iron_chain",
]
  .join(" ")
  .split(" ")
  .map((name) => name.replace("_", " "));

/** By its name here. */
export const isPhotographed = (name: string): boolean => photographed.includes(name);
