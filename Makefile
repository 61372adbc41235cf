# make demo   set-up, then the main example: forming, RESET and SET of an HfO2 device, with pictures in demo/
# make test   set-up, then ruff, mypy and the fast tests;  make test-all runs the slow ones as well
# make circuit   set-up, VACASK and its compiler, then all that compact models must show
# make docs   set-up, mkdocs, then the documentation in build/site, strictly: no warning, no dead link
# A Python of your choice: make demo PYTHON=/path/to/python3.13

bin := .venv/bin

.PHONY: verify demo test test-all lint setup circuit docs

demo: setup
	$(bin)/ionsim run hfo2_ti_bipolar --out demo --force
	@echo 'Pictures are in demo/. For the command ionsim in this terminal: source $(bin)/activate; then: ionsim report demo'

circuit: setup
	$(bin)/pip install -q --disable-pip-version-check -e ".[circuit]"
	$(bin)/pytest -m "" tests/test_compact*.py

docs: setup
	$(bin)/pip install -q --disable-pip-version-check -e ".[docs]"
	NO_MKDOCS_2_WARNING=1 $(bin)/mkdocs build --strict

verify: setup
	$(bin)/ionsim verify --book build/book

# files of tests are shared out among a few processes; some tests launch two ranks of their own
test: lint
	$(bin)/pytest -n auto --maxprocesses 4 --dist loadfile

test-all: lint
	$(bin)/pip install -q --disable-pip-version-check -e ".[film,notebook]"
	$(bin)/pytest -m ""

lint: setup
	$(bin)/ruff check .
	$(bin)/mypy

setup:
	@setup/bootstrap.sh
