"""Small corpora of the kinds that people have: the texts, the file that holds them, and the tokenizer that is right."""

import csv
import io
import itertools
import json
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

COUNT = 60


class Kind(NamedTuple):
    texts: Sequence[str]
    tokenizer: str
    write: Callable[[Path, Sequence[str]], Path]  # puts them into a folder; returns what --corpus names
    options: Mapping[str, Any] = {}  # how it is read


def mixed(pattern: str, *parts: str) -> list[str]:
    """Different texts from a pattern such as "{0} {1}" and words for each of its places, separated by |."""
    texts = list(dict.fromkeys(pattern.format(*words) for words in itertools.product(*(p.split("|") for p in parts))))
    random.Random(7).shuffle(texts)
    return texts[:COUNT]


# --- writers


def as_lines(name: str, encoding: str = "utf-8") -> Callable[[Path, Sequence[str]], Path]:
    def write(folder: Path, texts: Sequence[str]) -> Path:
        (folder / name).write_bytes("".join(text + "\n" for text in texts).encode(encoding))
        return folder / name

    return write


def separated(name: str, separator: str) -> Callable[[Path, Sequence[str]], Path]:
    def write(folder: Path, texts: Sequence[str]) -> Path:
        (folder / name).write_text(separator.join(texts), encoding="utf-8")
        return folder / name

    return write


def as_table(name: str, delimiter: str) -> Callable[[Path, Sequence[str]], Path]:
    def write(folder: Path, texts: Sequence[str]) -> Path:
        table = io.StringIO()
        csv.writer(table, delimiter=delimiter).writerows(
            [["id", "text", "stars"], *([number, text, "5"] for number, text in enumerate(texts))]
        )
        (folder / name).write_text(table.getvalue(), encoding="utf-8")
        return folder / name

    return write


def as_json(name: str, shape: Callable[[Sequence[str]], Any]) -> Callable[[Path, Sequence[str]], Path]:
    def write(folder: Path, texts: Sequence[str]) -> Path:
        (folder / name).write_text(json.dumps(shape(texts), ensure_ascii=False, indent=1), encoding="utf-8")
        return folder / name

    return write


def as_json_lines(name: str) -> Callable[[Path, Sequence[str]], Path]:
    def write(folder: Path, texts: Sequence[str]) -> Path:
        lines = (json.dumps({"n": number, "text": text}) + "\n" for number, text in enumerate(texts))
        (folder / name).write_text("".join(lines), encoding="utf-8")
        return folder / name

    return write


def as_files(folder: Path, texts: Sequence[str]) -> Path:
    (folder / "texts" / ".git").mkdir(parents=True)
    (folder / "texts" / ".git" / "config").write_text("[core]\n")
    (folder / "texts" / "cover.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0")
    for number, text in enumerate(texts):
        (folder / "texts" / f"{number:03}.txt").write_text(text + "\n", encoding="utf-8")
    return folder / "texts"


# --- texts

ENGLISH = mixed(
    "{0} {1} {2} {3}{4}",
    "The old sailor|My neighbour's daughter|Nobody in the village|A tired doctor|The youngest of us|Every teacher",
    "remembers|had forgotten|never liked|often painted|quietly sold|can't explain",
    "the river|that winter|her father's letters|the empty house|our first harvest|a song about rain",
    "before the war|in the end|on Sundays, if it rained|without a word|for a very long time",
    ".|.|!|?",
)
SHORT = mixed("{0} {1}", "red|blue|tall|old|new|quiet|bright|lost", "house|river|stone|letter|garden|night|winter|road")
TWEETS = mixed(
    "{0} {1} {2}{3}",
    "@anna_b|@TheRealBo|RT @newsbot:|lol @kim99|omg",
    "so happy today :)|can't even...|#throwback to #summer2019|1st day @work|gonna b late",
    "https://t.co/aB3dE|#blessed|<3 <3|w/ my fam|!!!",
    " \U0001f602| #MondayMood||  ;-)",
)
PTB = mixed(
    "{0} {1} {2} {3}",
    "the company|mr. <unk>|n.m. analysts|the $ N billion fund|u.s. exports",
    "said it does n't expect|wo n't buy|'s chairman reported|rose N N to|fell sharply from",
    "a loss of $ N million|the <unk> 's shares|N cents a share|`` a good year ''|third-quarter profit",
    ", he said .|.|in new york trading .|-lrb- see chart -rrb- .",
)
RECIPES = mixed(
    "{0}\n\n- {1}\n- {2}\n\n{3}\n{4}",
    "Apple pie|Lentil soup|Fried rice|Pancakes|Potato salad",
    "200 g flour|1 cup red lentils|3 eggs|500 g potatoes",
    "2 tbsp sugar|1 onion, chopped|a pinch of salt|4 apples",
    "Mix everything in a bowl.|Boil for 20 minutes.|Fry in hot oil.",
    "Serve at once.|Let it cool, then cut it.|Bake at 180 °C.",
)
HAIKU = mixed(
    "{0}\n{1}\n{2}",
    "an old silent pond|in the cicada's cry|over the wintry|light of the moon|the first cold shower",
    "a frog jumps into the pond|no sign can foretell|forest, winds howl in rage|moves west, flowers' shadows|even the "
    "monkey seems to want",
    "splash! silence again|how soon it must die|with no leaves to blow|creep eastward|a little coat of straw",
)
LYRICS = mixed(
    "{0}\n{1}\n\n{2}\n{3}\n{2}\n{3}",
    "I walked along the railway line|She left a light on in the hall|We had a car without a key",
    "And whistled for the morning train|And nobody came home at all|And all the summer to be free",
    "Oh, carry me, carry me|Hey now, sing it slow|Na na na, don't go",
    "Over the hills again|Down where the rivers flow|Back to the place I know|Out of the falling snow",
)
VERSES = ["白日依山|黃河入海|欲窮千里|更上一層|空山新雨|明月松間|清泉石上|竹喧歸浣"] * 4
CHINESE = mixed("{0}盡，{1}流。", VERSES[0], VERSES[1])
SPACED = [" ".join(text) for text in mixed("{0}盡{1}流", VERSES[0], VERSES[1])]
JAPANESE = mixed(
    "{0}{1}、{2}。",
    "昨日は|今朝の電車で|私の母が|庭の猫は|夏休みに",
    "とても寒かったので|古い手紙を見つけて|友だちと会って|静かに眠っていて|海まで歩いて",
    "お茶を飲みました|何も言わなかった|窓を開けた|帰りたくなった",
)
KOREAN = mixed(
    "{0} {1} {2}.",
    "어제 저녁에|우리 어머니는|작은 고양이가|그 사람은",
    "오래된 편지를|따뜻한 차를|조용한 노래를|새로운 길을|하얀 눈을",
    "읽었습니다|좋아합니다|기다리고 있다|찾지 못했다",
)
THAI = mixed(
    "{0}{1}{2}",
    "วันนี้|เมื่อวาน|แม่ของฉัน|แมวตัวเล็ก",
    "อากาศดีมาก|ไปตลาดกับเพื่อน|นอนอยู่ที่บ้าน|กินข้าวกับปลา",
    "และฝนไม่ตก|แต่ไม่มีใครรู้|ทุกเช้า|ในสวนเก่า",
)
ARABIC = mixed(
    "{0} {1} {2}.",
    "كتب الولد|قرأت البنت|شرب الرجل|رأى الناس",
    "رسالة طويلة|كتابا قديما|الماء البارد|القمر في السماء",
    "في الصباح|أمام البيت|بعد العشاء|مع صديقه، وضحك",
)
RUSSIAN = mixed(
    "{0} {1} {2}.",
    "Старый моряк|Моя сестра|Никто из нас|Весёлый сосед",
    "не помнит|давно забыл|часто рисует|тихо продал",
    "эту реку|письма отца|зимний вечер|песню о дожде, которую пели раньше",
)
GERMAN = mixed(
    "{0} {1} {2}.",
    "Der alte Kapitän|Meine Schwester Käthe|Niemand im Dorf|Ein müder Arzt",
    "vergaß|verkaufte heimlich|liebt noch immer|übersetzte",
    "die Straßenbahn|das Gedicht über Österreich|den Brief, den er schrieb|die Donaudampfschifffahrt",
)
VIETNAMESE = mixed(
    "{0} {1} {2}.",
    "Hôm nay trời|Mẹ tôi|Con mèo nhỏ|Người đàn ông ấy",
    "rất đẹp và|không biết|đang ngủ ở|đã quên",
    "mưa nhiều|con đường cũ|bức thư dài|ngôi nhà trên đồi",
)
EMOJI = mixed("{0}{1}{2}{3}", *["\U0001f600|\U0001f1e9\U0001f1ea|❤️|\U0001f469‍\U0001f680|\U0001f44d\U0001f3fd|⚽"] * 4)
CODE = mixed(
    "{0}({1}):\n    {2}\n    return {1}",
    "def f|def total|class Node|def main",
    "x|self.items|*args|n=0|a, b",
    'x += 1|for i in range(10): print(f"{{i}}")|if not x: raise ValueError("no")|y = {{"a": [1, 2]}}',
)
URLS = mixed(
    "https://{0}.{1}/{2}?q={3}", "www.site|a-b|m.shop|x1", "com|org|co.uk", "a/b|index.php|~me", "1|%20x|é|a&b=2"
)
CHESS = mixed(
    "{0} {1} {2} {3}",
    "e4 e5|d4 d5|c4 c5|Nf3 d5",
    "Nf3 Nc6|Bb5 a6|O-O Nf6|Qxd4 Nc6",
    "Bc4 Bc5|c3 Nf6|Ba4 b5",
    "Re1+ Be7|d3 d6#|a1=Q O-O-O",
)
ABC = mixed(
    "X:1\nT:{0}\nM:{1}\nK:{2}\n{3}|{4}|]",
    "The Kesh|Drowsy Maggie|Old Joe",
    "4/4|6/8|3/4",
    "G|Dmaj|Em",
    "GBd gBd|E2BE dEBE|d2 fd ad",
    "c2A BAG|^c'b/2 (3abc|z4 [GB]2",
)
PITCHES = mixed(
    "{0} {1} {2}",
    "60 62 64 65|67 69 71 72|55 55 60|62 67 71 74|48 52 55",
    "60 60 67 67 69 69 67|64 62 60|72 71 69 67",
    "60|48 60|65 64 62 60|67 60",
)
DNA = mixed("{0}{1}{2}{3}", *["ATG|CCGTA|TTAGGG|GATTACA|CGCG|TATAAA"] * 4)
PASSWORDS = mixed("{0}{1}{2}", "dragon|qwerty|P4ss|iloveyou|letmein", "123|!|_99|2020|", "x|XX|$$|007|a b")
NAMES = mixed("{0}{1}", "Ann|Bern|Car|Dor|Ed|Fran|Ger|Hel", "a|ard|la|othy|win|cis|trude|ena|in|old")
SMILES = mixed(
    "{0}{1}{2}",
    "CC(=O)|c1ccccc1|N[C@@H](C)|OC|C1CCN(C)C1",
    "O|N|C(F)(F)F|S(=O)(=O)|/C=C/",
    "Br|CC#N|[Na+].[Cl-]|C(=O)O|",
)
MARKUP = mixed("<s> {0} </s>", "the <unk> sat|a \u2581 b|<pad> <pad>|hello|x < y > z|<s>|</s> again") + mixed(
    "<s>{0} {1} <unk></s>", "one|two|three|four|five|six|seven|eight|nine|ten", "red|blue|▁green|pad|unk|<0x41>|⁇"
)
DIALOGUE = mixed(
    "A: {0}\nB: {1} {2}",
    "Hello, how are you?|Where were you?|Is it late?|Why not?",
    "Fine.|I don't know.|Yes, it's nine.|Because of the rain.|No!",
    "And you?|So be it.|Let us go home.",
)

KINDS: dict[str, Kind] = {
    "English prose": Kind(ENGLISH, "word", as_lines("prose.txt")),
    "names": Kind(NAMES, "char", as_lines("names.txt")),
    "SMILES": Kind(SMILES, "char", as_lines("molecules.smi")),
    "passwords": Kind(PASSWORDS, "char", as_lines("passwords.txt")),
    "DNA": Kind(DNA, "char", as_lines("dna.txt")),
    "tweets": Kind(TWEETS, "bpe", as_lines("tweets.txt")),
    "URLs": Kind(URLS, "char", as_lines("urls.txt")),
    "PTB": Kind(PTB, "whitespace", as_lines("ptb.txt")),
    "pitches": Kind(PITCHES, "whitespace", as_lines("tunes.txt")),
    "chess moves": Kind(CHESS, "whitespace", as_lines("games.txt")),
    "spaced Chinese": Kind(SPACED, "whitespace", as_lines("spaced.txt")),
    "Chinese verse": Kind(CHINESE, "char", as_lines("verse.txt")),
    "Japanese": Kind(JAPANESE, "char", as_lines("japanese.txt")),
    "Korean": Kind(KOREAN, "char", as_lines("korean.txt")),
    "Thai": Kind(THAI, "char", as_lines("thai.txt")),
    "Arabic": Kind(ARABIC, "word", as_lines("arabic.txt")),
    "Russian": Kind(RUSSIAN, "word", as_lines("russian.txt")),
    "German": Kind(GERMAN, "word", as_lines("german.txt")),
    "Vietnamese": Kind(VIETNAMESE, "word", as_lines("vietnamese.txt")),
    "emoji": Kind(EMOJI, "char", as_lines("emoji.txt")),
    "UTF-16": Kind(RUSSIAN, "word", as_lines("utf16.txt", "utf-16")),
    "UTF-8 with a mark": Kind(GERMAN, "word", as_lines("mark.txt", "utf-8-sig")),
    "meta symbols": Kind(MARKUP, "whitespace", as_lines("kenlm.txt")),
    "csv of semicolons": Kind(ENGLISH, "word", as_table("reviews.csv", ";")),
    "csv of commas with lines": Kind(DIALOGUE, "word", as_table("dialogue.csv", ",")),
    "tsv": Kind(GERMAN, "word", as_table("reviews.tsv", "\t")),
    "JSON lines": Kind(ENGLISH, "word", as_json_lines("lines.jsonl")),
    "JSON lines called json": Kind(HAIKU, "word", as_json_lines("lines.json")),
    "JSON list": Kind(JAPANESE, "char", as_json("list.json", list)),
    "JSON object": Kind(NAMES, "char", as_json("object.json", lambda texts: {"data": [{"text": t} for t in texts]})),
    "nested JSON": Kind(
        ENGLISH,
        "word",
        as_json("nested.json", lambda texts: [{"id": 1, "message": {"text": t, "from": "x"}} for t in texts]),
        {"text_column": "message.text"},
    ),
    "JSON of lines": Kind(
        CHINESE + HAIKU[:9],
        "char",
        as_json("poems.json", lambda texts: [{"title": "x", "paragraphs": t.split("\n")} for t in texts]),
        {"text_column": "paragraphs"},
    ),
    "recipes": Kind(RECIPES, "word", as_files, {"split_on": "file"}),
    "code": Kind(CODE, "bpe", separated("code.txt", "\n%%\n"), {"split_on": "%%"}),
    "haiku": Kind(HAIKU, "word", separated("haiku.txt", "\n\n"), {"split_on": "blank-line"}),
    "lyrics": Kind(LYRICS, "word", separated("lyrics.txt", "\n<|endoftext|>\n"), {"split_on": "<|endoftext|>"}),
    "ABC music": Kind(ABC, "bpe", separated("tunes.abc", "\n\n"), {"split_on": "blank-line"}),
}
