"""The admin of people: one that asks for what can be had, and one that does not."""

from __future__ import annotations

from django.contrib import admin

from people.models import City, Person, Visit


class VisitInline(admin.TabularInline):  # type: ignore[type-arg]
    model = Visit
    fk_name = "person"
    extra = 1


@admin.register(Person)
class PersonAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("id", "email", "name", "born", "active")
    list_filter = ("city", "active")
    search_fields = ("email__exact", "name__exact")
    exclude = ("labels",)
    inlines = (VisitInline,)


@admin.register(Visit)
class VisitAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("id", "person", "reason")
    search_fields = ("reason",)  # by icontains: nothing encrypted can be searched like that


@admin.register(City)
class CityAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    search_fields = ("name",)
