"""What the clinic's application does, one step at a time: `python steps.py STEP`."""

from __future__ import annotations

import datetime as dt
import os
import sys
from collections.abc import Callable
from decimal import Decimal
from html.parser import HTMLParser
from typing import Any
from uuid import UUID

import django
from django.core.management import call_command

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
django.setup()

from django.contrib.auth import authenticate  # noqa: E402 -- models want the settings first
from django.contrib.auth.models import User  # noqa: E402
from django.contrib.sessions.models import Session  # noqa: E402
from django.db import IntegrityError, NotSupportedError, transaction  # noqa: E402
from django.db.models import Count, F, Prefetch, Q, Subquery  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import setup_test_environment  # noqa: E402
from people.models import City, Label, Person, Visit  # noqa: E402

BORN = dt.date(1973, 3, 31)
SEEN = dt.datetime(1973, 3, 31, 17, 33, 17, tzinfo=dt.UTC)


def token(i: int) -> UUID:
    return UUID(f"6b616e61-7269-4540-8000-17331733170{i:x}")


def values(i: int) -> dict[str, Any]:
    """A person with a value in every field."""
    return {
        "email": f"kanarie-{i}@example.org",
        "name": f"kanarie {i % 3}",
        "notes": "kanarie isn't \\ 100% ☃\nwell",
        "born": BORN,
        "seen": SEEN,
        "balance": Decimal("17331733.17"),
        "number": 1733173317 + i,
        "active": i % 2 == 0,
        "token": token(i),
        "document": {"kanarie": [i, None, {"a": 1.5}]},
        "photo": b"kanarie\x00\xff'\\",
        "address": "17.33.173.17",
        "wait": dt.timedelta(days=1733, seconds=17, microseconds=33),
        "tags": ["kanarie", 'kan"arie, {}', ""],
    }


def assert_same(person: Person, i: int) -> None:
    for name, value in values(i).items():
        found = getattr(person, name)
        assert (bytes(found) if name == "photo" else found) == value, (name, found, value)


def create() -> None:
    """Rows made in every way that the ORM knows."""
    rome, oslo = City.objects.bulk_create([City(name="Rome"), City(name="Oslo")])
    first = Person.objects.create(**values(0), city=rome)
    first.refresh_from_db()
    assert_same(first, 0)
    made = Person.objects.bulk_create([Person(**values(i), city=oslo) for i in range(1, 6)], batch_size=3)
    assert [person.pk for person in made] == [first.pk + i for i in range(1, 6)]
    for i, person in enumerate(Person.objects.order_by("pk")):
        assert_same(person, i)
    changed = [Person(**{**values(i), "notes": "kanarie upserted", "tags": None}) for i in (5, 6)]
    for person in changed:
        person.token = None
    Person.objects.bulk_create(
        changed,
        update_conflicts=True,
        unique_fields=["email"],
        update_fields=["notes", "tags", "token", "document"],
    )
    assert Person.objects.filter(notes__isnull=False, tags=None).count() == 2
    Person.objects.bulk_create([Person(**{**values(6), "token": None})], ignore_conflicts=True)
    assert Person.objects.count() == 7
    person, new = Person.objects.get_or_create(email="kanarie-6@example.org", defaults={"name": "nobody"})
    assert (new, person.name) == (False, "kanarie 0")
    person, new = Person.objects.get_or_create(email="kanarie-7@example.org", defaults={"name": "kanarie x"})
    assert (new, person.document, person.active) == (True, {}, True)
    person, new = Person.objects.update_or_create(
        email="kanarie-7@example.org", defaults={"born": BORN, "tags": ["kanarie"]}
    )
    person.refresh_from_db()
    assert (new, person.born, person.tags, person.name) == (False, BORN, ["kanarie"], "kanarie x")
    person.delete()
    labels = Label.objects.bulk_create([Label(name="a"), Label(name="b")])
    first.labels.set(labels)
    Visit.objects.create(person=first, contact=Person.objects.get(number=1733173318), reason="kanarie cough")
    first.visits.create(reason="kanarie flu")
    Visit.objects.bulk_create([Visit(person=p, reason="kanarie b", contact=first) for p in made[:2]])
    try:
        Person.objects.create(email="kanarie-0@example.org", name="kanarie twin")
    except IntegrityError as error:
        assert "kanarie" not in str(error)  # noqa: PT017 -- the server's own message has ciphertext
    else:
        raise AssertionError("two people with one address")


def read() -> None:
    """Lookups, joins, prefetches, aggregates that only count, cursors."""
    people = Person.objects
    assert_same(people.get(email="kanarie-0@example.org"), 0)
    assert people.get(token=token(3)).email == "kanarie-3@example.org"
    assert (
        people.get(number=1733173317, name="kanarie 0").pk
        == people.get(address="17.33.173.17", number=1733173317).pk
    )
    assert people.filter(balance=Decimal("17331733.17")).count() == 7
    assert people.filter(active=True).count() == people.filter(active=False).count() + 1
    assert people.filter(email__in=["kanarie-1@example.org", "kanarie-2@example.org", "none"]).count() == 2
    assert people.exclude(email="kanarie-1@example.org").count() == 6
    assert people.exclude(number__in=[1733173317, 1733173318]).count() == 5
    assert people.filter(Q(email="kanarie-1@example.org") | Q(name="kanarie 0")).count() == 4
    assert people.filter(~Q(name="kanarie 0"), born__isnull=False).count() == 4
    assert people.filter(email="kanarie-1@example.org").exists()
    assert not people.filter(email="kanarie").exists()
    assert people.values_list("email", "document", "wait").order_by("pk")[0] == (
        "kanarie-0@example.org",
        values(0)["document"],
        values(0)["wait"],
    )
    assert people.values("name").distinct().count() == 3
    names = people.values("name").annotate(n=Count("pk"))
    assert {row["name"]: row["n"] for row in names} == {"kanarie 0": 3, "kanarie 1": 2, "kanarie 2": 2}
    assert people.aggregate(n=Count("name", distinct=True)) == {"n": 3}
    assert people.in_bulk(["kanarie-4@example.org"], field_name="email").keys() == {"kanarie-4@example.org"}
    assert [person.name for person in people.only("name").order_by("pk")[:2]] == ["kanarie 0", "kanarie 1"]
    assert people.defer("photo").get(number=1733173317).photo is not None
    visits = Visit.objects.select_related("person__city", "contact").order_by("pk")
    assert [(visit.person.city.name, visit.contact and visit.contact.email) for visit in visits] == [
        ("Rome", "kanarie-1@example.org"),
        ("Rome", None),
        ("Oslo", "kanarie-0@example.org"),
        ("Oslo", "kanarie-0@example.org"),
    ]
    found = people.prefetch_related("labels", "contact_of", Prefetch("visits", Visit.objects.order_by("-pk")))
    first = found.order_by("pk").first()
    assert [visit.reason for visit in first.visits.all()] == ["kanarie flu", "kanarie cough"]
    assert (first.labels.count(), len(first.contact_of.all())) == (2, 2)
    assert people.filter(contact_of__reason__isnull=False).values("pk").distinct().count() == 2
    assert Visit.objects.filter(contact__email="kanarie-0@example.org").count() == 2
    assert Visit.objects.filter(contact__in=people.filter(name="kanarie 1")).count() == 1
    mails = people.filter(name="kanarie 0").values("email")
    assert people.filter(email__in=Subquery(mails)).count() == 3
    assert people.filter(contact_of__contact=F("email")).values("pk").distinct().count() == 2
    with transaction.atomic():
        chunks = people.order_by("pk").iterator(chunk_size=2)
        assert [person.number for person in chunks] == [1733173317 + i for i in range(7)]
    assert len(list(people.iterator(chunk_size=3))) == 7  # WITH HOLD, outside a transaction
    both = (
        people.filter(number=1733173317)
        .values_list("email")
        .union(people.filter(number=1733173318).values_list("email"))
    )
    assert set(both) == {("kanarie-0@example.org",), ("kanarie-1@example.org",)}


def change() -> None:
    """Updates in bulk and one by one, locks, transactions within transactions."""
    people = Person.objects
    some = list(people.filter(number__in=[1733173320, 1733173321]).order_by("pk"))
    for i, person in enumerate(some):
        person.notes, person.balance, person.document = f"kanarie bulk {i}", Decimal(i), [i, "kanarie"]
        person.born, person.photo = None, b"kanarie again"
    assert people.bulk_update(some, ["notes", "balance", "document", "born", "photo"]) == 2
    found = people.get(pk=some[1].pk)
    assert (found.notes, found.balance, found.document) == ("kanarie bulk 1", Decimal(1), [1, "kanarie"])
    assert (found.born, bytes(found.photo)) == (None, b"kanarie again")
    assert people.filter(name="kanarie 2").update(notes="kanarie set", seen=None, address="::1") == 2
    assert people.filter(address="::1", notes__isnull=False).count() == 2
    with transaction.atomic():
        locked = people.select_for_update().get(email="kanarie-0@example.org")
        locked.name = "kanarie locked"
        try:
            with transaction.atomic():  # a savepoint
                people.create(email="kanarie-0@example.org", name="kanarie")
        except IntegrityError:
            pass
        locked.save(update_fields=["name"])
        inner = transaction.savepoint()
        people.filter(pk=locked.pk).update(name="kanarie lost")
        transaction.savepoint_rollback(inner)
        assert list(
            people.filter(name="kanarie locked").select_for_update(skip_locked=True, of=("self",))
        ) == [locked]
    assert people.get(pk=locked.pk).name == "kanarie locked"
    try:
        with transaction.atomic():
            people.update(notes="kanarie gone")
            raise KeyError
    except KeyError:
        pass
    assert not any(person.notes == "kanarie gone" for person in people.all())
    people.filter(pk=locked.pk).update(name="kanarie 0")
    number, _ = people.filter(email="kanarie-6@example.org").delete()
    assert number == 1


def refused(query: Callable[[], Any], construct: str) -> None:
    """What cannot be had is an error that says so, and the connection goes on."""
    try:
        with transaction.atomic():
            query()
    except NotSupportedError as error:
        assert construct in str(error), error  # noqa: PT017
        assert "kanarie" not in str(error)  # noqa: PT017
    else:
        raise AssertionError(f"{construct} is not refused")
    assert Person.objects.exists()


def refusals() -> None:
    """What a server cannot do with ciphertext: errors, never other rows."""
    people = Person.objects
    refused(lambda: list(people.filter(email__icontains="kanarie")), '"public.people_person.email"')
    refused(lambda: list(people.filter(email__iexact="kanarie")), '"public.people_person.email"')
    refused(lambda: list(people.filter(name__startswith="kanarie")), '"public.people_person.name"')
    refused(lambda: list(people.filter(notes="kanarie")), '"public.people_person.notes"')
    refused(lambda: list(people.order_by("name")), "ORDER BY")
    refused(lambda: list(people.filter(born__year=1973)), '"public.people_person.born"')
    refused(lambda: list(people.filter(number__gt=1733173317)), '"public.people_person.number"')
    refused(lambda: list(people.filter(document__kanarie=1)), '"public.people_person.document"')
    refused(lambda: list(people.filter(document__has_key="kanarie")), '"public.people_person.document"')
    refused(lambda: list(people.filter(document__contains={"kanarie": 1})), '"public.people_person.document"')
    refused(lambda: list(people.filter(tags__contains=["kanarie"])), '"public.people_person.tags"')
    refused(lambda: people.update(number=F("number") + 1), '"public.people_person.number"')
    refused(lambda: people.distinct().count(), "DISTINCT")  # of all columns, some of them randomized
    refused(lambda: people.dates("born", "year")[0], '"public.people_person.born"')


def users() -> None:
    """contrib.auth and contrib.sessions, whose own columns are protected."""
    user = User.objects.create_superuser(
        "ada", "kanarie-ada@example.org", "kanarie secret", first_name="kanarie"
    )
    assert User.objects.get(email="kanarie-ada@example.org") == user
    assert authenticate(username="ada", password="kanarie secret") == user
    assert authenticate(username="ada", password="kanarie wrong") is None
    user.set_password("kanarie other")
    user.save()
    client = Client()
    assert client.login(username="ada", password="kanarie other")
    session = client.session
    session["basket"] = "kanarie"
    session.save()
    assert Session.objects.get(pk=session.session_key).get_decoded()["basket"] == "kanarie"
    client.logout()
    call_command("clearsessions")


def admin() -> None:
    """The admin's pages: lists, searches, forms, deletion."""
    setup_test_environment()  # the test client has a host name of its own
    client = Client(raise_request_exception=False)
    client.force_login(User.objects.get(username="ada"))
    shown = client.get("/admin/people/person/")
    assert (shown.status_code, b"kanarie-5@example.org" in shown.content) == (200, True), shown.content
    found = client.get("/admin/people/person/", {"q": "kanarie-3@example.org"})
    assert (b"kanarie-3@" in found.content, b"kanarie-4@" in found.content) == (True, False)
    by_city = client.get("/admin/people/person/", {"city__id__exact": City.objects.get(name="Rome").pk})
    assert (b"kanarie-0@" in by_city.content, b"kanarie-4@" in by_city.content) == (True, False)
    active = client.get("/admin/people/person/", {"active__exact": "1"})
    assert (b"kanarie-0@" in active.content, b"kanarie-1@" in active.content) == (True, False)
    person = Person.objects.get(email="kanarie-3@example.org")
    page = f"/admin/people/person/{person.pk}/change/"
    form = client.get(page)
    assert form.status_code == 200
    assert b"17.33.173.17" in form.content
    data = Form(form.content.decode()).data | {"born": "1973-03-31", "tags": "kanarie"}
    saved = client.post(page, data | {"notes": "kanarie by the admin"})
    assert saved.status_code == 302, saved.context["errors"]
    person.refresh_from_db()
    assert (person.notes, person.number) == ("kanarie by the admin", 1733173320)
    taken = client.post(page, data | {"email": "kanarie-0@example.org"})
    assert b"Person with this Email already exists" in taken.content
    history = client.get(f"/admin/people/person/{person.pk}/history/")
    assert (history.status_code, b"Changed Notes" in history.content) == (200, True)
    assert b"kanarie" in client.get("/admin/").content  # recent actions
    gone = client.post(f"/admin/people/person/{person.pk}/delete/", {"post": "yes"})
    assert (gone.status_code, Person.objects.filter(pk=person.pk).exists()) == (302, False)
    _admin_refuses(client)


class Form(HTMLParser):
    """What a browser would send back of a page's fields, as they are shown."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.data: dict[str, str] = {}
        self._name = ""  # of the field that is open: a SELECT, or a TEXTAREA
        self._text: list[str] | None = None
        self.feed(page)

    def handle_starttag(self, tag: str, pairs: list[tuple[str, str | None]]) -> None:
        given = dict(pairs)
        name, value = given.get("name"), given.get("value") or ""
        if tag == "select":
            self._name = name or ""
        elif tag == "option" and "selected" in given:
            self.data[self._name] = value
        elif tag == "textarea":
            self._name, self._text = name or "", []
        elif tag == "input" and name and given["type"] not in ("submit", "file"):
            ticked = given["type"] != "checkbox" or "checked" in given
            self.data |= {name: value} if ticked else {}

    def handle_data(self, data: str) -> None:
        if self._text is not None:
            self._text.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea" and self._text is not None:
            self.data[self._name], self._text = "".join(self._text).removeprefix("\n"), None


def _admin_refuses(client: Client) -> None:
    """Searching by icontains, and ordering by a protected column."""
    for page, query in (("visit", {"q": "kanarie"}), ("person", {"o": "2"})):
        assert client.get(f"/admin/people/{page}/").status_code == 200
        response = client.get(f"/admin/people/{page}/", query)
        assert response.status_code == 500
        error = response.exc_info[1]
        assert isinstance(error, NotSupportedError), error
        assert "is not possible on protected column" in str(error)


def dump() -> None:
    """dumpdata writes values; loaddata writes them back."""
    before = {person.pk: person.email for person in Person.objects.all()}
    call_command("dumpdata", "people", "auth.user", indent=1, output="dump.json")
    with open("dump.json") as file:
        assert "kanarie-0@example.org" in file.read()
    Person.objects.all().delete()
    assert Visit.objects.count() == 0
    call_command("loaddata", "dump.json")
    assert {person.pk: person.email for person in Person.objects.all()} == before
    assert_same(Person.objects.get(number=1733173317), 0)


def second() -> None:
    """The second release, after its migrations."""
    person: Any = Person.objects.get(phone="kanarie 1733173317")
    assert (person.joined, person.patience, person.name) == (BORN, values(0)["wait"], "kanarie 0")
    assert Person.objects.filter(joined=None).count() == Person.objects.filter(born=None).count()
    Person.objects.create(email="kanarie-2nd@example.org", name="kanarie", phone="kanarie 2", patience=None)
    assert Person.objects.get(phone="kanarie 2").notes is None


STEPS = (create, read, change, refusals, users, admin, dump, second)

if __name__ == "__main__":
    for step in STEPS:
        if step.__name__ in sys.argv[1:]:
            step()
