"""The JSON schema of an inventory, for editors."""

from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from farm.inventory.form import InventoryForm


class _Untitled(GenerateJsonSchema):
    """Leaves out the titles, which say every key's name once more."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def schema() -> dict[str, Any]:
    """Return the schema of what a file may say; `load_inventory` checks more than it can."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **InventoryForm.model_json_schema(schema_generator=_Untitled),
        "title": "Inventory of a farm",
    }
