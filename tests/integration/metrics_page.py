"""What a gateway counts, read from its metrics as Prometheus reads them."""

from collections import Counter
from collections.abc import Iterator
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

# What a family's name is lengthened by in those of its samples.
_SUFFIXES = ("", "_total", "_count", "_sum", "_bucket", "_created", "_info")


def counted(address: str, sample: str, **labels: str) -> float:
    """Return the sum of a sample's series that have these labels."""
    return sum(
        series.value
        for series in _series(address, sample)
        if labels.items() <= series.labels.items()
    )


def counted_by(address: str, sample: str, label: str) -> Counter[str]:
    """Return the sums of a counter's series by a label's value."""
    sums: Counter[str] = Counter()
    for series in _series(address, sample):
        sums[series.labels[label]] += int(series.value)
    return sums


def _series(address: str, sample: str) -> Iterator[Sample]:
    with urlopen(f"http://{address}/metrics", timeout=60) as page:
        text = page.read().decode()
    families = list(text_string_to_metric_families(text))
    # What is called otherwise would be nothing for ever, and that is what many wait for.
    names = {family.name + suffix for family in families for suffix in _SUFFIXES}
    assert sample in names, f"nothing counts {sample}"
    for family in families:
        yield from (series for series in family.samples if series.name == sample)
