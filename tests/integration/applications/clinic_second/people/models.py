"""The second release: other columns, and other names."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models


class City(models.Model):
    name = models.CharField(max_length=50)


class Label(models.Model):
    name = models.CharField(max_length=50, unique=True)


class Person(models.Model):
    email = models.EmailField(unique=True)
    name = models.CharField(max_length=60)
    notes = models.TextField(blank=True, null=True)
    born = models.DateField(null=True)
    seen = models.DateTimeField(null=True)
    balance = models.DecimalField(max_digits=12, decimal_places=2, null=True)
    number = models.IntegerField(null=True)
    active = models.BooleanField(default=True)
    document = models.JSONField(default=dict)
    photo = models.BinaryField(null=True)
    address = models.GenericIPAddressField(null=True)
    patience = models.DurationField(null=True)
    tags = ArrayField(models.CharField(max_length=20), null=True)
    city = models.ForeignKey(City, on_delete=models.CASCADE, null=True)
    labels = models.ManyToManyField(Label)
    made = models.DateTimeField(auto_now_add=True)
    phone = models.CharField(max_length=20, default="kanarie none")
    joined = models.DateField(null=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["name", "number"], name="one_name_one_number"),)
        indexes = (
            models.Index(fields=["phone"], name="by_phone"),
            models.Index(fields=["city", "name"], name="by_city"),
        )

    def __str__(self) -> str:
        return self.name


class Visit(models.Model):
    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="visits")
    contact = models.ForeignKey(
        Person, on_delete=models.CASCADE, to_field="email", null=True, related_name="contact_of"
    )
    reason = models.TextField()
    on = models.DateField(auto_now_add=True)
