"""What a gateway counts, read from its metrics as Prometheus reads them."""

from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families


def counted(address: str, sample: str, **labels: str) -> float:
    """Return the sum of a sample's series that have these labels."""
    with urlopen(f"http://{address}/metrics", timeout=10) as page:
        text = page.read().decode()
    return sum(
        series.value
        for family in text_string_to_metric_families(text)
        for series in family.samples
        if series.name == sample and labels.items() <= series.labels.items()
    )
