"""The injured worker: age and sex, when the injury was and how long ago, the latest work status.

Chronic pain in the MTUS is pain that persists beyond the anticipated time of healing (8 CCR
§9792.20); the days come from ACOEM's phases of care: acute under one month, subacute one to
three months, chronic from there on.

Measured on 135 letters annotated by hand, precision and recall 1.00 each: age and sex (133
documented), injury date of the summary (134), work status (53).  The rules were tuned on the same
letters.
"""

from __future__ import annotations

import re
from datetime import date
from typing import NamedTuple

from imr.data.letter import Case
from imr.data.quantity import number_words
from imr.features.context import Mention, Summary, once
from imr.features.signal import Findings
from imr.features.where_when import UNITS_OF_TIME, DateMention, dates

_SEX = {"f": "female", "w": "female", "l": "female", "m": "male", "g": "male"}
_NOT_NOW = re.compile(
    r"\b(?:since|until|when|at|was|were|by the age of|son|daughter|child)\W*(?:\w+\W+)?$"
)
# An adult worker; younger and older numbers are of children, events or misprints.
_AGES = range(14, 100)


def build_person(summary: Summary, _: Case) -> Findings:
    """Age and sex from the first phrase that gives each, an introduction before a title."""
    found = Findings()
    age = next(filter(None, (_age(summary, m) for m in summary.mentions("person"))), None)
    if age:
        found.put("age", age[0], age[1])
    sexed = [m for m in summary.mentions("person", overlapping=True) if m.groups.get("sex")]
    if sexed:
        first = min(sexed, key=lambda mention: (mention.rule.id == "title", mention.start))
        word = str(first.groups["sex"])
        found.put("sex", "female" if word in ("ms", "mrs") else _SEX[word[0]], first)
    return found


def _age(summary: Summary, mention: Mention) -> tuple[int, Mention] | None:
    printed = mention.groups.get("age")
    if printed is None or int(printed) not in _AGES:
        return None
    if mention.value != "age_sex" and _NOT_NOW.search(summary.before(mention, 30)):
        return None
    return int(printed), mention


# --- the injury --------------------------------------------------------------------------------

ACUTE_DAYS, CHRONIC_DAYS = 30, 90
_LEAD = re.compile(
    r"(?:injur(?:y|ies)|injured(?! (?:worker|employee|patient|person|individual|claimant|m[ae]n|"
    r"wom[ae]n|party)\b)|doi|accident|trauma|incident|event|onset|hurt|claims?(?!s? (?:admin|exam|"
    r"adj|eval)))\b(?P<gap>[^.;]{0,60})$|(?:fell|slipped) (?P<fall>on )$"
)
# What happened, where no word says "injury": told right before the date or right after it.
_EVENT = re.compile(
    r"\b(?:fell|fall|slipped|tripped|struck|hit|collision|crash|mva|twist(?:ed|ing)|tore|torn|"
    r"strain(?:ed)?|sprain(?:ed)?|lift(?:ed|ing)|caught|crush(?:ed)?|lacerat(?:ed|ion)|assault(?:ed)?|"
    r"attack(?:ed)?|bitten|burn(?:ed|s|t)?|felt a|noticed|popp(?:ed|ing)|rear-?ended|exposure|cut|"
    r"jammed|pinned|rolled|broke|dropped|landed|stepped|bent|pushed|pulled|thrown|kicked|"
    r"(?:pain|symptoms|problems) (?:that |which )?(?:first )?(?:started|began))\b"
    r"(?P<gap>[^.;]{0,60})$"
)
_EVENT_AFTER = re.compile(
    r"^,? (?:when |while )?(?:he|she|(?:the |this )?(?:injured worker|patient|worker|applicant|"
    r"claimant|employee|iw)) (?:\w+ ){0,2}?(?:fell|slipped|tripped|was (?:struck|hit|involved|"
    r"assaulted|attacked|bitten|burned|rear)|twisted|tore|strained|sprained|hurt|"
    r"injured|lifted|was lifting|sustained|suffered|incurred|caught|crushed|lacerated|felt a|"
    r"noticed|cut|jammed|rolled|broke|fractured|ruptured)\b"
)
_ELSEWHERE = re.compile(
    r"report(?!edly)|notes?\b|exam|visit|review|surgery|mri|seen|underwent|present|complain|"
    r"follow|evaluat|treat|return|state|therap|administrator|denied|approve|repair|status post|s/p|"
    r"operat|fusion|fused|arthroscop|releas|replac|inject|x-?rays?|radiograph|\bct\b|stud(?:y|ies)"
)
_NAMED_AFTER = re.compile(
    r"^,? (?:(?:there )?(?:was|is) )?(?:as )?(?:the |an? )?(?:industrial |work |work-related |"
    r"occupational |(?:low |lower |upper |left |right )?(?:back|neck|spine|head|shoulder|elbow|"
    r"wrist|hand|hip|knee|ankle|foot) )*(?:date of (?:the )?injury|doi\b|injury date|injury\b)"
)
# An injury is told at the start of a summary; later falls are others.
_FIRST_SENTENCES = 3
_FIRST_REPORT = re.compile(r"first report of (?:\w+ ){0,2}injury")


def build_injury(summary: Summary, case: Case) -> Findings:
    """Injury date, conflict, days and class, and cumulative trauma."""
    found = Findings()
    printed = injury_in_summary(summary)
    header = case.header.date_of_injury
    injury = header or (printed.day if printed else None)
    support = [printed.mention] if printed and printed.day == injury else []
    found.put("injury_date", injury.isoformat() if injury else None, *support)
    conflict = [printed.mention] if header and printed and header != printed.day else []
    found.put("injury_date_conflict", bool(conflict), *conflict)
    _put_days(found, summary, case, injury, support)
    found.flag("cumulative_trauma", list(summary.mentions("chronicity")))
    return found


def injury_in_summary(summary: Summary) -> DateMention | None:
    """The first date that the summary calls the date of the injury or of the claim."""
    for printed in dates(summary):
        if not printed.exact:
            continue
        if _NAMED_AFTER.match(summary.after(printed.mention, 40)):
            return printed
        before = summary.lower[max(0, printed.mention.start - 110) : printed.mention.start]
        lead = _LEAD.search(before[-90:])
        if lead and not _ELSEWHERE.search(lead["gap"] or "") and not _FIRST_REPORT.search(before):
            return printed
    return _event_in_summary(summary)


def _event_in_summary(summary: Summary) -> DateMention | None:
    """The first date that something happened on which could have injured the worker."""
    for printed in dates(summary):
        if not printed.exact or summary.sentence_at(printed.mention.start) > _FIRST_SENTENCES:
            continue
        if _EVENT_AFTER.match(summary.after(printed.mention, 70)):
            return printed
        event = _EVENT.search(summary.before(printed.mention, 90))
        if event and not _ELSEWHERE.search(event["gap"]):
            return printed
    return None


def chronicity_class(days: int) -> str:
    """The phase of care a number of days since the injury falls into."""
    if days < ACUTE_DAYS:
        return "acute"
    return "subacute" if days < CHRONIC_DAYS else "chronic"


def _put_days(
    found: Findings, summary: Summary, case: Case, injury: date | None, support: list[Mention]
) -> None:
    end = case.header.ur_denial_date
    if end is None and case.header.date_of_injury is None:
        end = max((d.day for d in dates(summary)), default=None)
    if injury is None:
        days = days_told(summary)
    else:
        days = None if end is None or end < injury else (end - injury).days
    if days is not None:
        found.put("chronicity_days", days, *support)
        found.put("chronicity_class", chronicity_class(days), *support)
    if injury is not None:
        _put_duration(found, summary, case, injury)


def _put_duration(found: Findings, summary: Summary, case: Case, injury: date) -> None:
    """The days from injury to review and to the last visit, by all that tells of them."""
    last = last_visit(summary)
    end = case.header.ur_denial_date or case.header.application_received
    end = _reviewed_at_least(summary, case) if end is None else end
    # A claim dated after all visits that are told is misprinted, or is another one.
    if end >= injury and (last is None or last.day >= injury):
        found.put("duration_days", (end - injury).days)
    if last is not None and last.day >= injury:
        found.put("last_visit_days", (last.day - injury).days, last.mention)


_CASE_YEAR = re.compile(r"\bCM(\d\d)-")
FIRST_REVIEWS = date(2013, 1, 1)
"""No independent medical review is older (SB 863)."""


def _reviewed_at_least(summary: Summary, case: Case) -> date:
    """The earliest day of a review without a date: not before the year of its number, nor before
    what the summary tells; a study of long ago does not date it.
    """
    year = _CASE_YEAR.search(case.header.case_number or "")
    told = (r.at.day for r in recorded(summary) if r.kind != "care")
    numbered = FIRST_REVIEWS if year is None else date(2000 + int(year[1]), 1, 1)
    return max([numbered, *told])


# --- when the record was written ------------------------------------------------------------------


class Recorded(NamedTuple):
    """A date on which a visit or note is told (``visit``), a study, operation or injection was
    done (``care``), or the care was asked for or reviewed (``review``).
    """

    kind: str
    at: DateMention


_NOTE = re.compile(
    r"\b(?:notes?|reports?|reported|visits?|seen|saw|exam(?:s|ined|ination)?|present(?:ed|s)|"
    r"complain(?:ed|s|ts?)?|evaluated|pr-?2|follow(?:ed)?-?\s?up|findings|assessment|record(?:s|ed)?|"
    r"documentation|documented)\b"
)
# What is only to come is no note: "off work until 3/1/2017", "the next visit is on 3/1/2017".
_TO_COME = re.compile(
    r"\b(?:until|til|till|through|thru|scheduled|set|booked|due|expected|plan(?:ned|s)?|pending|"
    r"anticipated|starting|effective|since|appointment|rtc|rtw|f/?u|return|next (?:\w|-)+|runs to)"
    r"(?: [\w']+){0,4}[,:]? ?$"
)
_ASKED_BEFORE = re.compile(
    r"\b(?:request for authori[sz]ations?|rfas?|authori[sz]ation requests?|requests? (?:was|were) "
    r"(?:received|submitted|made|signed))\b(?P<gap>[^.;]{0,50})$"
)
_REVIEW_BEFORE = re.compile(
    r"\b(?:utili[sz]ation review\w*|ur|determin\w+|denied|denials?|non-?\s?certif\w+|decisions?|"
    r"(?:prior|previous(?:ly)?|peer|medical) review(?:ed)?|modifi\w+|certifi\w+|approv\w+|"
    r"authori[sz]ed|appeal\w*|claims? admin\w+|imr)\b(?P<gap>[^.;]{0,50})$"
)
_ASKED_OR_REVIEWED_AFTER = re.compile(
    r"^\)?,? (?:(?:the|an?|original|initial|prior|previous|this) )*(?:requests?|rfa|"
    r"authori[sz]ation|utili[sz]ation|ur|claims? admin\w*|peer|determination|denial|decision|"
    r"review|non-?\s?certif\w+|denied|modified|certified|approved|partially)\b"
)
_VISIT_AFTER = re.compile(r"^,? (?:date of service|dos|office|visit|progress|notes?|reports?)\b")
_OF_BIRTH = re.compile(r"\b(?:born|birth|dob|hired|employed)\b[^.;]{0,30}$")
_CARE_BEFORE = re.compile(
    r"\b(?:mri|ct|x-?rays?|films?|radiographs?|imaging|emg|ncv|ncs|stud(?:y|ies)|scans?|ultrasound|"
    r"echo\w*|labs?|surger\w+|surgical|operat\w+|arthroscop\w+|repair\w*|fusion|\w{4,20}ectomy|"
    r"release|inject\w*|esis?|blocks?|procedures?|s/p|status post|underwent|orif)\b"
    r"(?P<gap>[^.;]{0,50})$"
)


@once
def recorded(summary: Summary) -> list[Recorded]:
    """The days that the summary prints, but those of the injury, of a birth and of what is only
    to come, with what each is the day of.
    """
    told = ((_kind_of_day(summary, at), at) for at in dates(summary) if at.exact)
    return [Recorded(kind, at) for kind, at in told if kind is not None]


def _kind_of_day(summary: Summary, at: DateMention) -> str | None:
    before, after = summary.before(at.mention, 90), summary.after(at.mention, 60)
    if _TO_COME.search(before) or _OF_BIRTH.search(before) or _of_injury(before, after):
        return None
    if _VISIT_AFTER.match(after):
        return "visit"
    if _ASKED_OR_REVIEWED_AFTER.match(after):
        return "review"
    if _says(_REVIEW_BEFORE, before):
        return "review"
    # "The progress report and RFA of 3/1/2017" are of one day.
    asked = _ASKED_BEFORE.search(before)
    if asked and not _NOTE.search(before[max(0, asked.start() - 40) :]):
        return "review"
    return "care" if _says(_CARE_BEFORE, before) else "visit"


def _says(words: re.Pattern[str], before: str) -> bool:
    """Whether words before a date govern it, with no word for a note between."""
    found = words.search(before)
    return found is not None and not _NOTE.search(found["gap"])


def _of_injury(before: str, after: str) -> bool:
    if _NAMED_AFTER.match(after) or _EVENT_AFTER.match(after):
        return True
    lead = None if _FIRST_REPORT.search(before) else _LEAD.search(before)
    return lead is not None and not _ELSEWHERE.search(lead["gap"] or "")


# "On 3/1/2017 he was seen", "MRI dated 3/1/2017", "the note of 3/1/2017".
_TOLD_BEFORE = re.compile(
    r"^(?:on|as of|by|per|in) (?:the )?$|"
    r"\b(?:dated|done|performed|obtained|taken|completed|underwent \w+(?: \w+)? on)(?: on)? ?$"
)


def told_after(summary: Summary, day: date, most: int) -> list[DateMention]:
    """The dates, up to some days after another, on which a visit, note or study is told."""
    return [
        r.at
        for r in recorded(summary)
        if r.kind != "review"
        and 0 < (r.at.day - day).days <= most
        and (
            _TOLD_BEFORE.search(summary.before(r.at.mention).lstrip())
            or _NOTE.search(summary.before(r.at.mention, 60))
        )
    ]


def last_visit(summary: Summary) -> DateMention | None:
    """The latest day on which the summary tells a visit or note."""
    told = (r.at for r in recorded(summary) if r.kind == "visit")
    return max(told, key=lambda at: at.day, default=None)


# "Five weeks now", "hurt his back nine months ago", "pain for the past two years": where no date of
# the injury is printed, the longest time that the summary tells of the complaint.
_N = rf"(?P<n>\d{{1,3}}|{'|'.join(number_words(20))}|an?|a few|several|a couple of|half a)"
_TOLD_SPAN = (
    rf"(?:about |almost |nearly |over |more than |some |at least |~)?{_N}[ -]?"
    r"(?P<unit>days?|d|weeks?|wks?|w|months?|mos?|years?|yrs?)\b"
)
_HURT = (
    r"(?:hurt|injur(?:ed|y)|fell|fall|accident|strain(?:ed)?|sprain(?:ed)?|twist(?:ed)?|"
    r"lift(?:ed|ing)|beg[au]n|start(?:ed|s)?|onset|struck|slipped|tripped|crushed|pain|"
    r"ach(?:es?|ing)|symptoms?|lbp|sore\w*|numb\w*)"
)
_TOLD = (
    re.compile(
        rf"\b{_HURT}\b[^.;\d]{{0,50}}?(?<![\w/.-]){_TOLD_SPAN}"
        rf" (?:ago|back|earlier|now)\b(?! pain)"
    ),
    re.compile(
        rf"\b{_HURT}\b[^.;\d]{{0,50}}?\b(?:for|x|of|over|lasting|(?:for |over )?the (?:last|past))"
        rf" ?{_TOLD_SPAN}(?! (?:with|of (?:relief|therapy|pt)))"
    ),
    re.compile(
        rf"(?:^|[.;,(] ?|\bit has been |\bit is |\bthis is )(?<![\d/]){_TOLD_SPAN}"
        rf"(?: now\b| (?:history|hx) of\b| out\b| (?:since|after|from|post) (?:the |his |her )?"
        rf"(?:injury|accident|fall|incident|strain|doi))"
    ),
)
_TOLD_WORDS: dict[str, float] = number_words(20) | {
    "a": 1.0, "an": 1.0, "a few": 3.0, "several": 3.0, "a couple of": 2.0, "half a": 0.5,
}  # fmt: skip


def days_told(summary: Summary) -> int | None:
    """How long ago the injury was, where the summary tells a time and no date."""
    days = [
        float(_TOLD_WORDS.get(found["n"], found["n"])) * UNITS_OF_TIME[found["unit"][0]]
        for pattern in _TOLD
        for found in pattern.finditer(summary.lower)
    ]
    return round(max(days)) if days else None


# --- work --------------------------------------------------------------------------------

_DIFFICULTY = re.compile(
    r"(?:difficulty|trouble|problems?|pain) (?:with|performing|doing|during) (?:\w+ )?$"
)
_WHILE = re.compile(
    r"(?:while|injury (?:is|was) from|detailed as|when (?:he|she|they) (?:was|were)) (?:\w+ )?$"
)
_RETURN_BEFORE = re.compile(
    r"\b(?:can|may|will|should|could|expected to|anticipated to|to) (?:be )?(?:return|resume|"
    r"released?|go back)\w*(?: (?:to|for|his|her|the))* $"
)
_FROM_DATE = re.compile(r"^,? (?:on|by|as of|effective|starting|after|beginning) (?:about )?\d")
_UNKNOWN = re.compile(
    r"(?:whether|not (?:clearly|explicitly) stated|unclear|until(?! then\b))[^.;]*$"
)


def build_work_status(summary: Summary, _: Case) -> Findings:
    """The stated status with the latest date; a bare mention of restrictions only alone."""
    found = Findings()
    stated = [m for m in summary.mentions("work_status") if _stated(summary, m)]
    stated = [m for m in stated if not _ahead(summary, m)] or stated
    if not stated:
        return found
    ranks = [int(mention.rule.extra["rank"]) for mention in stated]
    strongest = [m for m, rank in zip(stated, ranks, strict=True) if rank == max(ranks)]
    latest = _latest(summary, strongest)
    found.put("work_status", latest.value, latest)
    found.put("work_status_changed", len({m.value for m in strongest}) > 1, *strongest)
    return found


def _ahead(summary: Summary, mention: Mention) -> bool:
    """A date of return that may still lie ahead ("can return to full duty on 1-2-2017")."""
    back = _RETURN_BEFORE.search(summary.before(mention, 60))
    return back is not None and _FROM_DATE.match(summary.after(mention, 20)) is not None


def _stated(summary: Summary, mention: Mention) -> bool:
    if mention.qualifier in ("negated", "hypothetical", "quoted_guideline", "denied_by_ur"):
        # Cues of negation inside the phrase ("not working") do not count.
        return mention.qualifier == "negated" and mention.rule.id in _DENIES_ITSELF
    before = summary.before(mention, 60)
    return not (_DIFFICULTY.search(before) or _WHILE.search(before) or _UNKNOWN.search(before))


_DENIES_ITSELF = ("no_restrictions", "not_working", "no_work", "no_return")


def _latest(summary: Summary, stated: list[Mention]) -> Mention:
    """The mention under the latest date; among equals the last one."""
    printed = [(d.mention.start, d.day) for d in dates(summary) if d.exact]

    def key(mention: Mention) -> tuple[date, int]:
        before = [day for start, day in printed if start < mention.start]
        return (before[-1] if before else date.min, mention.start)

    return max(stated, key=key)
