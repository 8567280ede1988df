"""Columns that are new, other, renamed and gone."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = (("people", "0001_initial"),)
    operations = (
        migrations.AddField("person", "phone", models.CharField(max_length=20, default="kanarie none")),
        migrations.AddField("person", "joined", models.DateField(null=True)),
        migrations.AlterField("person", "name", models.CharField(max_length=60)),
        migrations.AlterField("person", "notes", models.TextField(blank=True, null=True)),
        migrations.RenameField("person", "wait", "patience"),
        migrations.RemoveField("person", "token"),
        migrations.RemoveIndex("person", "by_name"),
        migrations.RenameIndex("person", new_name="by_city", old_name="by_city_and_name"),
        migrations.AddIndex("person", models.Index(fields=["phone"], name="by_phone")),
    )
