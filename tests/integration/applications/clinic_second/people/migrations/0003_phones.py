"""Values for the new columns, made of those that are there."""

from __future__ import annotations

from typing import Any

from django.db import migrations


def fill(apps: Any, schema_editor: Any) -> None:
    person_model = apps.get_model("people", "Person")
    for person in person_model.objects.filter(phone="kanarie none").iterator():
        person.phone, person.joined = f"kanarie {person.number}", person.born
        person.save(update_fields=["phone", "joined"])


class Migration(migrations.Migration):
    dependencies = (("people", "0002_second"),)
    operations = (migrations.RunPython(fill, migrations.RunPython.noop),)
