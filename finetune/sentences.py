"""From pieces to sentences: frames filled with noun phrases, as people say them."""

import random
from typing import Any

from agent.plan import Call
from finetune.phrases import Piece, any_piece, fill, piece, plural, refusal, with_article
from finetune.worlds import World

KIND = 0.75  # share of the noun phrases that say the kind of thing ("a comedy"), as in the development set
NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


class Sentences:
    """Sentences about one world, from its domain's words and the frames every domain shares."""

    def __init__(self, world: World, frames: dict[str, Any], chance: random.Random) -> None:
        self.world, self.frames, self.chance = world, frames, chance

    def say(self, key: str, **slots: str) -> str:
        return fill(str(self.chance.choice(self.frames[key])), self.world, self.chance, **slots)

    def digits(self, count: int | None) -> str:
        words = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
        return words[count - 1] if count and count <= 10 and self.chance.random() < 0.4 else str(count)

    def about(self, key: str, part: Piece) -> str:
        if part.form != "noun":  # {nouns} beside it stands for the items
            return self.say(key, **{part.form: part.text})
        many = plural(part.text)
        return self.say(key, noun=part.text, nouns=many, neg_nouns=many, a_noun=with_article(part.text))

    def wished(self, frame: str, pieces: list[Piece], tails: list[str]) -> tuple[str, list[Piece]]:
        """A frame with its noun phrase, and the pieces in the order they are said there."""
        said: dict[str, list[Piece]] = {"adj": [], "noun": [], "post": [], "refusal": []}
        for part in pieces:
            said[part.form].append(part)
        kinds = [kind for kind in ("np", "nps", "bare") if "{" + kind + "}" in frame]
        kind = kinds[0] if kinds else "np"
        domain, chance = self.world.domain, self.chance
        nouns = said["noun"][:1]
        if nouns:
            noun = " or ".join(plural(one) if kind == "nps" else one for one in nouns[0].text.split(" or "))
        else:
            noun = chance.choice(domain.plurals if kind == "nps" else domain.nouns)
        if kind == "bare" and not nouns and (said["adj"] or said["post"]) and chance.random() < 0.5:
            noun = ""
        glue = ", " if chance.random() < 0.2 else " "
        after = [part.text for part in said["post"]] + tails
        phrase = " ".join([glue.join(part.text for part in said["adj"]), noun, *after]).strip()
        if kind == "np":
            some = not nouns and chance.random() < 0.4
            phrase = f"{chance.choice(['some', 'any'])} {phrase}" if some else with_article(phrase)
        for no in said["refusal"]:
            phrase += chance.choice([", ", ", but ", " but ", ", ", " and "]) + no.text
        text = frame.replace("{" + kind + "}", phrase) if kinds else f"{frame} {phrase}"
        return text, [*said["adj"], *nouns, *said["post"], *said["refusal"]]

    def pieces(self, least: int, most: int, without: frozenset[str] = frozenset()) -> list[Piece]:
        """Conditions that can be said in one noun phrase."""
        found: list[Piece] = []
        taken = set(without)
        for place in range(self.chance.randint(least, most)):
            # Two values of one list: "a romantic comedy". Where the main one is spoken of, people often give it both.
            lists = {c.name for c in self.world.manifest.enumerated() if c.is_list}
            again = sorted(taken & lists - without) if self.chance.random() < 0.25 else []
            kind = self.world.main
            if place == 0 and kind in self.world.words and kind not in taken and self.chance.random() < KIND:
                part = piece(self.world, kind, self.chance)
            elif again:
                part = piece(self.world, self.chance.choice(again), self.chance)
            else:
                part = any_piece(self.world, self.chance, frozenset(taken))
            if (
                part is None
                or part.sql in {one.sql for one in found}
                or (part.order_by and any(p.order_by for p in found))
            ):
                continue
            if part.form == "noun" and any(one.form == "noun" for one in found):
                continue
            found.append(part)
            taken |= {*part.columns, *([part.order_by.split(" ")[0]] if part.order_by else [])}
        if self.chance.random() < 0.16:
            no = refusal(self.world, self.chance, self.frames, frozenset(one.sql for one in found))
            if no is not None and not set(no.columns) & {c for p in found for c in p.columns if "OR" in p.sql}:
                found.append(no)
        return found

    def tails(self, draft_kept: list[str]) -> tuple[list[str], list[Call]]:
        """Themes, feelings and names that no column holds, with their searches."""
        domain, draw = self.world.domain, self.chance.random()
        if draw < 0.62:
            theme = self.chance.choice(domain.themes)
            said, call = self.say("about", theme=theme), Call(tool="dense_search", arguments={"query": theme})
            draft_kept.append(theme)
        elif draw < 0.82:
            theme = self.chance.choice(domain.feelings)
            said, call = self.say("feeling", feeling=theme), Call(tool="dense_search", arguments={"query": theme})
            draft_kept.append(theme)
        else:
            name = self.chance.choice(domain.names)
            said, call = self.say("named", name=name), Call(tool="bm25_search", arguments={"query": name})
            draft_kept.append(name)
        return [said], [call]
