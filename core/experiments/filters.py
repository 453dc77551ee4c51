"""The filter language: MLflow's own filter strings, and OR, NOT, parentheses, IS NULL, ranges of histories.

    metrics.auroc > 0.9 AND (params.model_type = 'rf' OR NOT tags.stage ILIKE 'dev%')
    max(metrics.val_auroc) >= 0.93      min, max, best (by declared direction) or last over the steps
    duration > 5m                       start_time > 7d ago        start_time >= '2026-11-01'
    dataset.digest = 'ab12'             git_commit = '1a2b3c4'     (a prefix of 4 or more characters will do)
    params.max_depth > 5                a param compared with a number is read as a number
    metrics.f1 IS NULL                  metrics.loss IS NAN        run_id IN ('a', 'b')
    params.note = 'it''s'               a quote within quotes is written twice, or the other kind around it
    baseline                            a word alone: in the run's name, or the beginning of its id

A comparison with something that a run lacks is unknown: neither it nor its NOT finds that run, as in SQL.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import get_args

from core.experiments.columns import metric_value
from core.experiments.filter_types import (
    ATTRIBUTES,
    DURATION_ATTRIBUTES,
    TIME_ATTRIBUTES,
    Both,
    Compare,
    Condition,
    Either,
    FilterError,
    IsNan,
    Kind,
    Mentions,
    Missing,
    Not,
    Operand,
    OrderKey,
    Over,
)
from core.experiments.literals import seconds_of, time_of
from core.experiments.tokens import Token, tokens

MAX_DEPTH = 60

_PREFIXES: dict[str, Kind] = {
    **dict.fromkeys(("metric", "metrics"), "metric"),
    **dict.fromkeys(("param", "params", "parameter", "parameters"), "param"),
    **dict.fromkeys(("tag", "tags"), "tag"),
    **dict.fromkeys(("attribute", "attributes", "attr", "run"), "attribute"),
    **dict.fromkeys(("dataset", "datasets"), "dataset"),
}
_COMMON = "name, status, user, start_time, end_time, duration, git_commit, run_id"
_DATASET_KEYS = ("name", "digest", "context")
_KEYWORDS = {"AND", "OR", "NOT", "IS", "NULL", "IN", "LIKE", "ILIKE", "NAN"}


def parse_filter(text: str) -> Condition | None:
    """The condition of a filter; None for an empty one. Raises FilterError."""
    parser = _Parser(text)
    if parser.now.kind == "end":
        return None
    condition = parser.either()
    parser.finish("AND or OR")
    return condition


def parse_order(text: str) -> tuple[OrderKey, ...]:
    """Sort keys of ``metrics.auroc DESC, start_time``; raises FilterError."""
    parser = _Parser(text)
    if parser.now.kind == "end":
        return ()
    keys = [parser.order_key()]
    while parser.accept(","):
        keys.append(parser.order_key())
    parser.finish("a comma")
    return tuple(keys)


class _Parser:
    """Recursive descent over the tokens: OR binds loosest, then AND, then NOT."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.left = list(reversed(tokens(text)))
        self.depth = 0

    @property
    def now(self) -> Token:
        return self.left[-1]

    def accept(self, *words: str) -> Token | None:
        found = self.now.word or (self.now.text if self.now.kind in ("mark", "operator") else "")
        return self.left.pop() if found in words else None

    def fail(self, problem: str, way_out: str = "", at: int | None = None) -> FilterError:
        return FilterError(self.text, self.now.position if at is None else at, problem, way_out)

    def finish(self, expected: str) -> None:
        if self.now.kind != "end":
            raise self.fail(f"expected {expected}, found {self.now.text!r}.")

    def either(self) -> Condition:
        found = self.both()
        while self.accept("OR"):
            found = Either(found, self.both())
        return found

    def both(self) -> Condition:
        found = self.negated()
        while self.accept("AND"):
            found = Both(found, self.negated())
        return found

    def negated(self) -> Condition:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.fail(f"more than {MAX_DEPTH} parentheses or NOTs are nested.")
        if self.accept("NOT"):
            found: Condition = Not(self.negated())
        elif self.accept("("):
            found = self.either()
            if not self.accept(")"):
                raise self.fail("expected a closing parenthesis.")
        else:
            found = self.comparison()
        self.depth -= 1
        return found

    def comparison(self) -> Condition:
        if self.now.kind == "text" or self._alone():
            return Mentions(self.left.pop().inner)
        operand = self.operand()
        if self.accept("IS"):
            return self._is(operand)
        negated = bool(self.accept("NOT"))
        if self.accept("IN"):
            return Compare(operand, "IN", self._list(operand), negated)
        if like := self.accept("LIKE", "ILIKE"):
            return Compare(operand, like.word, self._pattern(operand), negated)  # type: ignore[arg-type]
        if negated:
            raise self.fail("expected IN, LIKE or ILIKE after NOT.")
        return self._plain(operand)

    def _alone(self) -> bool:
        following = self.left[-2] if len(self.left) > 1 else None
        if self.now.kind != "word" or self.now.word in _KEYWORDS or following is None:
            return False
        return following.kind == "end" or following.text == ")" or following.word in ("AND", "OR")

    def _is(self, operand: Operand) -> Condition:
        negated = self.accept("NOT")
        if self.accept("NULL"):
            found: Condition = Missing(operand)
        elif operand.kind == "metric" and self.accept("NAN"):
            found = IsNan(operand)
        else:
            raise self.fail("expected NULL or NOT NULL after IS (NAN too, for a metric).")
        return Not(found) if negated else found

    def _plain(self, operand: Operand) -> Compare:
        sign = self.accept("=", "==", "!=", "<>", "<", "<=", ">", ">=")
        if not sign:
            raise self.fail("expected a comparison such as =, !=, <, >=, LIKE, IN or IS NULL.")
        comparator = {"==": "=", "<>": "!="}.get(sign.text, sign.text)
        value = self._value(operand)
        if isinstance(value, str) and comparator not in ("=", "!=") and not _is_scale(operand):
            raise self.fail(
                f"text is compared with = or !=, not {sign.text}.", "Use LIKE for patterns.", sign.position
            )
        return Compare(operand, comparator, value)  # type: ignore[arg-type]

    def _value(self, operand: Operand) -> float | str:
        token = self.now
        if token.kind == "number" and operand.kind != "dataset" and not _is_words(operand):
            self.left.pop()
            number = float(token.text)
            return metric_value(number) if operand.kind == "metric" else number
        if token.kind == "quantity" and _is_scale(operand):
            self.left.pop()
            return self._literal(operand, token.text + (" ago" if self.accept("AGO") else ""), token)
        if token.kind == "text" and operand.kind != "metric":
            self.left.pop()
            return self._literal(operand, token.inner, token)
        if operand.kind == "metric":
            raise self.fail("a metric is compared with a number.", f"Example: metrics.{operand.key} > 0.9")
        raise self.fail("expected a value in 'quotes'.", "Example: params.model_type = 'random_forest'")

    def _literal(self, operand: Operand, value: str, token: Token) -> float | str:
        try:
            if operand.key in TIME_ATTRIBUTES.values() and operand.kind == "attribute":
                time_of(value, datetime.now(UTC))
            elif _is_scale(operand):
                return seconds_of(value)
        except (ValueError, OverflowError):
            kind = "a duration" if operand.key in DURATION_ATTRIBUTES else "a time"
            examples = "Durations: 90, 5m, 2h. Times: '2026-11-01', '2026-11-01T08:30', 7d ago."
            raise self.fail(f"{value!r} is not {kind}.", examples, token.position) from None
        return value

    def _pattern(self, operand: Operand) -> str:
        if operand.kind == "metric" or _is_scale(operand):
            raise self.fail("LIKE needs text; this is a number.")
        if self.now.kind != "text":
            raise self.fail("expected a pattern in 'quotes', where % is any text and _ any character.")
        return self.left.pop().inner

    def _list(self, operand: Operand) -> tuple[float | str, ...]:
        if not self.accept("("):
            raise self.fail(
                "expected a list in parentheses after IN.", "Example: status IN ('FAILED', 'KILLED')"
            )
        values = [self._value(operand)]
        while self.accept(",") and self.now.text != ")":  # as Python writes a tuple of one
            values.append(self._value(operand))
        if not self.accept(")"):
            raise self.fail("expected a comma or a closing parenthesis.")
        return tuple(values)

    def order_key(self) -> OrderKey:
        operand = self.operand()
        if operand.kind == "dataset":
            raise self.fail("runs cannot be ordered by a data set.", at=operand.position)
        direction = self.accept("ASC", "DESC")
        return OrderKey(operand, descending=bool(direction and direction.word == "DESC"))

    def operand(self) -> Operand:
        over = self.now.text.lower()
        if over in get_args(Over) and self.left[-2].text == "(":
            del self.left[-2:]
            inner = self.operand()
            if inner.kind != "metric" or inner.over != "last":
                raise self.fail(
                    f"{over}() takes a metric.", f"Example: {over}(metrics.auroc) > 0.9", inner.position
                )
            if not self.accept(")"):
                raise self.fail("expected a closing parenthesis.")
            return Operand("metric", inner.key, over, inner.position)  # type: ignore[arg-type]
        return self._named()

    def _named(self) -> Operand:
        token = self.now
        if token.kind not in ("word", "quoted") or token.word in _KEYWORDS:
            what = f"found {token.text!r}" if token.text else "found nothing"
            raise self.fail(f"expected what to compare, {what}.", "Example: metrics.auroc > 0.9")
        self.left.pop()
        prefix, dot, key = token.inner.partition(".") if token.kind == "word" else ("", "", token.inner)
        prefix = prefix.strip("`")
        if not dot:
            return self._attribute(token.inner, token)
        if prefix.lower() not in _PREFIXES:
            raise self.fail(
                f"{prefix!r} is not known.",
                "Begin with metrics. params. tags. attributes. or dataset.",
                token.position,
            )
        if (
            not key
            and self.now.kind in ("quoted", "text")
            and self.now.position == token.position + len(token.text)
        ):
            key = self.left.pop().inner
        if not key:
            raise self.fail(f"expected a name after {token.text!r}.", at=token.position)
        kind = _PREFIXES[prefix.lower()]
        if kind == "attribute":
            return self._attribute(key, token)
        if kind == "dataset" and key not in _DATASET_KEYS:
            raise self.fail(
                "a data set has a name, a digest and a context.",
                "Example: dataset.name = 'train'",
                token.position,
            )
        return Operand(kind, key, position=token.position)

    def _attribute(self, name: str, token: Token) -> Operand:
        column = ATTRIBUTES.get(name.lower())
        if column is None:
            way_out = f"Write metrics.{name}, params.{name} or tags.{name}; an attribute is one of {_COMMON}."
            raise self.fail(f"{name!r} is not an attribute of a run.", way_out, token.position)
        return Operand("attribute", column, position=token.position)


def _is_scale(operand: Operand) -> bool:
    return operand.kind == "attribute" and operand.key in {
        *TIME_ATTRIBUTES.values(),
        *DURATION_ATTRIBUTES.values(),
    }


def _is_words(operand: Operand) -> bool:
    return operand.kind == "attribute" and not _is_scale(operand)
