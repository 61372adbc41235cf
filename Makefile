# make demo   set-up, then the main example: forming, RESET and SET of an HfO2 device, with pictures in demo/
# make test   set-up, then ruff, mypy and the fast tests;  make test-all runs the slow ones as well
# A Python of your choice: make demo PYTHON=/path/to/python3.13

bin := .venv/bin

.PHONY: demo test test-all lint setup

demo: setup
	$(bin)/ionsim run hfo2_ti_bipolar --out demo --force

test: lint
	$(bin)/pytest

test-all: lint
	$(bin)/pytest -m ""

lint: setup
	$(bin)/ruff check .
	$(bin)/mypy

setup:
	@setup/bootstrap.sh
