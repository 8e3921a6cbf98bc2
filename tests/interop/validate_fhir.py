"""Validates a FHIR R4 bundle with the typed models of fhir.resources (R4B)."""

import json
import sys

from fhir.resources.R4B.bundle import Bundle

with open(sys.argv[1], encoding="utf-8") as file:
    text = file.read()
bundle = Bundle.model_validate_json(text)
# What the models do not know they refuse; what they drop would differ here.
kept = json.loads(bundle.model_dump_json())
given = json.loads(text)
if len(kept["entry"]) != len(given["entry"]):
    sys.exit(f"{len(given['entry'])} entries were given, {len(kept['entry'])} understood")
print(f"{len(given['entry'])} resources, 0 problems (fhir.resources)")
