"""A farm's inventory out of one that Ansible reads."""

from farm.inventory.ansible.conversion import Imported, import_ansible

__all__ = ["Imported", "import_ansible"]
