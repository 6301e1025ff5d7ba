"""Registries of named objects that configurations and profiles refer to, extensible by other packages.

An entry is an object under a name. The built-in entries are listed in a table ``name → "module:object"`` and imported
on first use. Another package adds entries through entry points of the registry's group, in its ``pyproject.toml``::

    [project.entry-points."isocompute.strategies"]
    mine = "my_package.strategies:MINE"
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cache, cached_property
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar, cast

from isocompute.errors import ConfigError, IsocomputeError

Entry = TypeVar("Entry")
Worker = TypeVar("Worker")


read_entry_points = cache(entry_points)
"""Reads the entry points of all installed packages, once for all registries: each package has a file of its own."""


class GuardedWorker:
    """An engine or scorer of another package, which works through a queue within a guard.

    Args:
        worker: the engine or scorer; all but ``run`` is passed on to it.
        guard: makes the context that turns its exceptions into errors.
    """

    def __init__(self, worker: Any, guard: Callable[[], AbstractContextManager[None]]) -> None:
        self._worker, self._guard = worker, guard

    def run(self, pending: Any) -> Iterator[Any]:
        """Work through a queue, as `Engine.run` and `Scorer.run` do."""
        with self._guard():
            yield from self._worker.run(pending)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._worker, name)


class Registry(Mapping[str, Entry], Generic[Entry]):
    """Entries of one kind by name: the built-in ones in their order, then those of other packages.

    Args:
        kind: noun for an entry in messages, such as "strategy".
        group: group of the entry points, such as ``isocompute.strategies``.
        own: name → ``module:object`` of the built-in entries.
        entry: the class of every entry.

    Example:
        >>> separators = Registry("separator", "isocompute.none", {"posix": "posixpath:sep"}, str)
        >>> list(separators), separators["posix"]
        (['posix'], '/')
    """

    def __init__(self, kind: str, group: str, own: Mapping[str, str], entry: type[Entry]) -> None:
        self.kind, self.group, self.own, self.entry = kind, group, dict(own), entry
        self._loaded: dict[str, Entry] = {}

    @cached_property
    def plugin_entry_points(self) -> dict[str, EntryPoint]:
        """The entry points of other packages, by name.

        Raises:
            ConfigError: two packages add the same name, or a package adds the name of a built-in entry.
        """
        points: dict[str, EntryPoint] = {}
        for point in sorted(read_entry_points().select(group=self.group), key=lambda point: point.name):
            if point.name in self.own or (point.name in points and points[point.name].value != point.value):
                raise ConfigError(
                    f"The {self.kind} '{point.name}' of {get_package_name(point)} already exists; give it another name."
                )
            points[point.name] = point
        return points

    def __getitem__(self, name: str) -> Entry:
        """Return an entry, importing it on first use.

        Raises:
            KeyError: there is no entry of that name.
            ConfigError: another package's entry cannot be imported, or is not of the entry class.
        """
        if name not in self._loaded:
            if name in self.own:
                self._loaded[name] = load_object(self.own[name])
            else:
                self._loaded[name] = load_plugin(self.plugin_entry_points[name], self.kind, self.entry)
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        yield from self.own
        yield from self.plugin_entry_points

    def __len__(self) -> int:
        return len(self.own) + len(self.plugin_entry_points)

    def __contains__(self, name: object) -> bool:
        return name in self.own or name in self.plugin_entry_points

    @property
    def names_as_text(self) -> str:
        """The names as text: "a, b or c"."""
        return join_words(list(self))

    @contextmanager
    def wrap_plugin_errors(self, name: str) -> Iterator[None]:
        """Turn any exception of another package's entry into an error that names the package.

        Errors of isocompute, and all exceptions of built-in entries, pass unchanged.

        Raises:
            ConfigError: another package's entry raised an exception that is not an `IsocomputeError`.
        """
        try:
            yield
        except IsocomputeError:
            raise
        except (Exception, SystemExit) as error:  # a module may also end the process
            if name not in self.plugin_entry_points:
                raise
            reason = ": ".join([type(error).__name__, *str(error).splitlines()[:1]]).rstrip(".")
            package = get_package_name(self.plugin_entry_points[name])
            raise ConfigError(f"The {self.kind} '{name}' of {package} does not work: {reason}.") from error

    def guard_worker(self, name: str, worker: Worker) -> Worker:
        """Return an engine or scorer whose exceptions name the package that it is from; a built-in one unchanged."""
        if name not in self.plugin_entry_points:
            return worker
        return cast("Worker", GuardedWorker(worker, lambda: self.wrap_plugin_errors(name)))

    def check_name(self, name: str) -> str:
        """Return a name after checking that it is known, for the validation of configurations.

        Raises:
            ValueError: there is no entry of that name.
        """
        if name not in self:
            raise ValueError(f"input should be {join_words([repr(known) for known in self])}")
        return name

    def find_package(self, name: str) -> tuple[str, str] | None:
        """Return name and version of the package that adds an entry; None for a built-in entry."""
        point = self.plugin_entry_points.get(name)
        if point is None or point.dist is None:
            return None
        return point.dist.name, point.dist.version

    def find(self, name: str) -> Entry:
        """Return an entry.

        Raises:
            ConfigError: there is no entry of that name; the message lists the names.
        """
        if name not in self:
            raise ConfigError(f"The {self.kind} '{name}' is unknown; there are: {', '.join(self)}.")
        return self[name]


def join_words(words: Sequence[str]) -> str:
    """Join words with commas and "or".

    >>> join_words(["a", "b", "c"])
    'a, b or c'
    """
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last


def load_object(path: str) -> Any:
    """Import an object by its path, ``module:object``.

    >>> load_object("math:floor")(2.5)
    2
    """
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)


def load_plugin(point: EntryPoint, kind: str, entry: type[Entry]) -> Entry:
    """Import another package's entry.

    Raises:
        ConfigError: it cannot be imported, is not of the entry class, or has another name than its entry point.
    """
    try:
        entry_object = point.load()
    except (Exception, SystemExit) as error:  # a module may raise anything while it is imported
        reason = str(error).rstrip(".") or type(error).__name__
        raise ConfigError(
            f"The {kind} '{point.name}' of {get_package_name(point)} cannot be loaded: {reason}."
        ) from error
    if not isinstance(entry_object, entry):
        raise ConfigError(
            f"The {kind} '{point.name}' of {get_package_name(point)} is a {type(entry_object).__name__}; "
            f"it must be a {entry.__name__}."
        )
    if (own := getattr(entry_object, "name", point.name)) != point.name:
        raise ConfigError(
            f"The {kind} '{point.name}' of {get_package_name(point)} calls itself '{own}'; the two names must be the "
            "same."
        )
    return entry_object


def get_package_name(point: EntryPoint) -> str:
    """Return the name of the package that an entry point comes from."""
    return point.dist.name if point.dist is not None else "another package"
