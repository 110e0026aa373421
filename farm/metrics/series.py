"""Series of one metric by model version: found quickly, and gone when the version is."""

from typing import Generic, TypeVar

from prometheus_client.metrics import MetricWrapperBase

from farm.core.models import ModelKey

_Metric = TypeVar("_Metric", bound=MetricWrapperBase)


class VersionSeries(Generic[_Metric]):
    """A metric whose first two labels are a model and its version.

    Only one thread may call it: the engine's. Scrapes read the metric, not this.
    """

    def __init__(self, metric: _Metric) -> None:
        self._metric = metric
        self._known: dict[ModelKey, dict[tuple[str, ...], _Metric]] = {}

    def of(self, model: ModelKey, *more: str) -> _Metric:
        """Return a version's series with these further labels."""
        known = self._known.get(model)
        if known is None:
            known = self._known[model] = {}
        series = known.get(more)
        if series is None:
            series = known[more] = self._metric.labels(model.name, str(model.version), *more)
        return series

    def forget(self, model: ModelKey) -> None:
        """Drop every series of a version."""
        for more in self._known.pop(model, {}):
            self._metric.remove(model.name, str(model.version), *more)
