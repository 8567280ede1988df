"""The admin of people: one that asks for what can be had, and one that does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin

from people.models import City, Person, Visit

if TYPE_CHECKING:  # generic in the stubs, but not in Django itself
    PersonPage = admin.ModelAdmin[Person]
    VisitPage = admin.ModelAdmin[Visit]
    CityPage = admin.ModelAdmin[City]
    VisitRows = admin.TabularInline[Visit, Person]
else:
    PersonPage = VisitPage = CityPage = admin.ModelAdmin
    VisitRows = admin.TabularInline


class VisitInline(VisitRows):
    model = Visit
    fk_name = "person"
    extra = 1


@admin.register(Person)
class PersonAdmin(PersonPage):
    list_display = ("id", "email", "name", "born", "active")
    list_filter = ("city", "active")
    search_fields = ("email__exact", "name__exact")
    exclude = ("labels",)
    inlines = (VisitInline,)


@admin.register(Visit)
class VisitAdmin(VisitPage):
    list_display = ("id", "person", "reason")
    search_fields = ("reason",)  # by icontains: nothing encrypted can be searched like that


@admin.register(City)
class CityAdmin(CityPage):
    search_fields = ("name",)
