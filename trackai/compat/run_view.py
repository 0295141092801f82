"""A run as another tracker has it: its own attributes over those of the run of TrackAI."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from weakref import WeakValueDictionary

if TYPE_CHECKING:
    from trackai.sdk.run import Run


class RunView:
    """A run with further attributes. All others, and what is assigned, are those of the run.

    There is one view of each class for a run, so that `init()` and `run` return the same object.
    """

    # By the id of the run, which the view keeps alive.
    _views: WeakValueDictionary[int, Self]
    _run: Run

    def __init_subclass__(cls) -> None:
        cls._views = WeakValueDictionary()

    def __init__(self, run: Run) -> None:
        self.__dict__["_run"] = run
        self.__dict__["log"] = run.log  # called in every step

    @classmethod
    def of(cls, run: Run | None) -> Self | None:
        """The view of a run; None for None."""
        if run is None:
            return None
        view = cls._views.get(id(run))
        return cls._views.setdefault(id(run), cls(run)) if view is None else view

    def __getattr__(self, name: str) -> Any:
        if name == "_run":  # of a copy that is not filled yet
            raise AttributeError(name)
        try:
            return getattr(self._run, name)
        except AttributeError:
            raise AttributeError(
                f"{type(self).__name__} has no attribute {name!r}: it is a run of trackai, which "
                "has the attributes that frameworks use",
                name=name,
                obj=self,
            ) from None

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._run, name, value)

    def finish(self, exit_code: int | None = None, quiet: bool | None = None) -> None:
        """Finish the run, as failed if the exit code is neither None nor 0."""
        self._run.finish("failed" if exit_code else "completed")

    def __enter__(self) -> Self:
        self._run.__enter__()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._run.__exit__(exc_type, exc, traceback)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).of, (self._run,)

    def __repr__(self) -> str:
        return repr(self._run)

    def _repr_html_(self) -> str:
        return self._run._repr_html_()
