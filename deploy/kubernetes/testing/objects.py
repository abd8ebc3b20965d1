"""objects.py CRD...: reads YAML from the standard input, validates every object, and prints all of them as JSON.

Objects of Kubernetes are validated by kubernetes-validate, others by the schemas in these files with custom resource definitions. An
unknown kind, an unknown field and a repeated key are errors.
"""

import json
import sys

import jsonschema
import kubernetes_validate
import yaml

KUBERNETES = "1.37"


class Loader(yaml.SafeLoader):
    """Refuses repeated keys, of which YAML in Python takes the last one."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=deep) for key, _ in node.value]
        repeated = {key for key in keys if keys.count(key) > 1}
        if repeated:
            raise yaml.constructor.ConstructorError(None, None, f"repeated keys: {repeated}", node.start_mark)
        return super().construct_mapping(node, deep)


def strict(schema):
    """The schema with unknown fields refused, as the API server does with strict field validation."""
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    result = {key: strict(part) for key, part in schema.items()}
    keeps = schema.get("x-kubernetes-preserve-unknown-fields")
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object" and not keeps:
        result.setdefault("additionalProperties", False)
    return result


def custom(paths):
    schemas = {}
    for path in paths:
        with open(path, encoding="utf-8") as file:
            definition = yaml.load(file, Loader)["spec"]
        for version in definition["versions"]:
            kind = (f"{definition['group']}/{version['name']}", definition["names"]["kind"])
            schema = strict(version["schema"]["openAPIV3Schema"])
            # The definition leaves the type of metadata to the API server.
            schema["properties"]["metadata"] = {"type": "object"}
            schemas[kind] = schema
    return schemas


def problems(entry, schemas):
    kind = (entry["apiVersion"], entry["kind"])
    try:
        if kind in schemas:
            jsonschema.Draft202012Validator(schemas[kind]).validate(entry)
        else:
            kubernetes_validate.validate(entry, KUBERNETES, strict=True)
    except jsonschema.ValidationError as error:
        yield f"{'.'.join(map(str, error.path))}: {error.message}"
    except kubernetes_validate.SchemaNotFoundError as error:
        yield error.message


schemas = custom(sys.argv[1:])
objects = [entry for entry in yaml.load_all(sys.stdin, Loader) if entry]
found = [f"{entry['kind']} {entry['metadata']['name']}: {text}" for entry in objects for text in problems(entry, schemas)]
if found:
    sys.exit("\n".join(found))
json.dump(objects, sys.stdout)
