"""Tests on real files that lie beside the checkout in ../shared/data. They are never copied into the project."""
