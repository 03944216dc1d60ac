"""Heads of the whole figures: skull, hair and what is worn around a face, in the frame of a head of radius 17."""

from __future__ import annotations

from dataclasses import dataclass

from mossgen.embedded.figure_faces import EYES, face
from mossgen.embedded.figure_hats import COVER_HAIR, HATS, MASKS
from mossgen.embedded.figure_parts import INK, WHITE, shape, stroke
from mossgen.embedded.scenery_parts import mix, ring, round_

BLUSH, NOSE = "#f0705f", "#e53935"


@dataclass(frozen=True)
class Head:
    """What a head is made of: skin, hair (style and colour), hat (and its cloth), expression, and what is in the face.

    Colours are "#rrggbb".
    """

    skin: str
    style: str
    hair: str
    hat: str
    expression: str
    cloth: str
    woman: bool = False
    glasses: bool = False
    clown: bool = False
    moustache: bool = False


CAP = (
    "M-16.6 2 C-19 -13 -8 -20.5 2 -20 C12 -19.5 17.5 -13 16.6 -5 C13 -11 6 -12.5 0 -11.5 C-6 -10.6 -10 -7 -11 -2 "
    "L-12 6 Q-16 6 -16.6 2 Z"
)
LONG = "M-15 -10 C-22 -2 -21 12 -18.5 24 Q-10 29 -3 25 L6 14 L-2 -14 Z"
BOB = "M-14 -10 C-21 -2 -20 8 -18 15 Q-9 18 -3 15 L2 -12 Z"
AROUND = ((-13, -7), (-15, 1), (-8, -14), (1, -17), (10, -14))
CURLS = ((-13, -4), (-12, -10), (-6, -15), (1, -17), (8, -16), (13, -12))
WIG = ((-16, 0), (-16, -9), (-12, -16), (15, -10), (14, -16), (-14, 6))


def back(head: Head) -> str:
    """Hair that hangs or stands behind trunk and skull."""
    hair, low = head.hair, mix(head.hair, "#000000", 0.15)
    made = {
        "long": shape(LONG, low),
        "bob": shape(BOB, low),
        "bun": round_(-13, -15, 7, low),
        "pigtails": ring(-19, 6, 5.2, 9, hair) + round_(-16, -2, 2.4, "#e2504a"),
        "curly": "".join(round_(x, y, 7, low) for x, y in AROUND),
        "wig": "".join(round_(x, y, 8.5, hair) for x, y in WIG),
    }
    return "" if head.hat in COVER_HAIR else made.get(head.style, "")


def _front_hair(head: Head) -> str:
    hair, cap = head.hair, shape(CAP, head.hair)
    made = {
        "long": cap + shape("M-16.5 -2 Q-20 14 -15 22 Q-10 20 -10.5 8 L-11 -4 Z", hair),
        "bob": cap + shape("M-16.5 -2 Q-19 9 -15.5 14.5 Q-10 13 -10.5 4 L-11 -4 Z", hair),
        "mop": cap + shape("M-6 -16 Q6 -8 17 -6 Q20 -17 6 -21 Q-4 -23 -6 -16 Z", hair),
        "curly": "".join(round_(x, y, 5.4, hair) for x, y in CURLS),
        "balding": shape("M-16.4 3 C-18 -5 -15 -10 -12 -11 Q-9.5 -6 -10.5 3 L-12 8 Q-16 8 -16.4 3 Z", hair),
        "tuft": stroke("M0 -16 Q-3 -22 2 -23 M2 -16.5 Q3 -21 7 -21", 2.4, hair),
    }
    return made.get(head.style, cap if head.style in ("short", "beard", "bun", "pigtails") else "")


def _beard(head: Head) -> str:
    whole = "M-11 3 C-11 16 -2 20.5 6 20 C14 19.5 17.5 11 16 3.5 Q13 5.5 8 5 Q-2 6 -6 3 Z"
    return shape(whole, head.hair) + shape("M3.6 8.6 Q8 6 12.6 8.4 L12 12.4 Q8 14.6 4.4 12.4 Z", head.skin)


def _moustache(head: Head) -> str:
    """A moustache, and lines on the forehead above it."""
    lines = stroke("M1 -11.5 Q7 -13 13 -11.5", 1, _shade(head))
    return shape("M8.6 5.4 Q4 4.6 0.6 9 Q5 10 8.6 7.4 Q12 10 16 8.4 Q13 4.6 8.6 5.4 Z", head.hair) + lines


def _make_up(head: Head) -> str:
    """A clown's white and red."""
    mouth = ring(8, 9.6, 8.4, 6.4, WHITE) + ring(8, 9.6, 6.4, 3.8, NOSE) + ring(8, 9.4, 5, 2.4, WHITE)
    return mouth + "".join(ring(x, -1, 4.6, 6, WHITE) for x in EYES)


def _glasses() -> str:
    return "".join(ring(x, -0.4, 4.6, 4.4, "none", INK) for x in EYES) + stroke("M-1.4 -1 L-10 -1.6", 1.4)


def _cheeks() -> str:
    return ring(-0.6, 5.4, 2.8, 1.8, BLUSH, opacity=0.28) + ring(15, 5, 1.6, 1.8, BLUSH, opacity=0.28)


def _shade(head: Head) -> str:
    return mix(head.skin, "#7a3b20", 0.28)


def front(head: Head) -> str:
    """The head itself: ear, skull, face, hair and hat."""
    made = round_(-9.5, 3, 4.4, _shade(head)) if head.style != "none" else ""
    made += ring(0.4, 0, 16.6, 17, head.skin) + (_make_up(head) if head.clown else "")
    made += _beard(head) if head.style == "beard" else ""
    made += MASKS[head.hat](head.skin) if head.hat in MASKS else ""
    made += face(head.expression, INK if head.hair.lower() > "#c" else mix(head.hair, "#000000", 0.25))
    made += round_(9, 3.6, 4.4, NOSE) if head.clown else ring(9, 3.7, 2.4, 1.7, _shade(head))
    made += "" if head.style == "beard" or head.clown or head.hat == "balaclava" else _cheeks()
    made += _moustache(head) if head.moustache else ""
    if head.woman and head.expression in ("neutral", "happy", "stern", "down"):
        made += stroke("M0.2 -2.6 L-1.6 -3.8 M15 -2.8 L16.4 -4", 1.4)  # lashes
    made += _front_hair(head) + (_glasses() if head.glasses else "")
    return made + (HATS[head.hat](head.cloth) if head.hat in HATS else "")
