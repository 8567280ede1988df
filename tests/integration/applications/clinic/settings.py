"""Settings of an ordinary Django project. Its database comes from the environment, as anybody's does."""

from __future__ import annotations

import os
import sys
from typing import Any, cast

if os.environ.get("CLINIC_DRIVER") == "psycopg2":
    sys.modules["psycopg"] = cast(Any, None)  # Django takes psycopg2 where there is no other

SECRET_KEY = "not a secret"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "urls"
USE_TZ = True
TIME_ZONE = "UTC"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # the tests need not be slow
LOGGING_CONFIG = None

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "people",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": os.environ["CLINIC_HOST"],
        "PORT": os.environ["CLINIC_PORT"],
        "NAME": os.environ["CLINIC_DATABASE"],
        "USER": "postgres",
        "OPTIONS": {"server_side_binding": True}
        if os.environ.get("CLINIC_DRIVER") == "psycopg-server"
        else {},
    }
}
