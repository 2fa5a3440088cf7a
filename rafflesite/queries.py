"""Query parameters: the ones that an endpoint reads, and no others."""

from collections.abc import Collection, Mapping
from typing import Any, ClassVar, Final

from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.viewsets import ViewSetMixin

PAGE: Final = frozenset({"limit", "cursor"})


class StrictQueryMixin(ViewSetMixin):
    """Refuse a query parameter that is unknown or given twice (400), as bodies refuse such keys.

    A misspelt filter must not answer with everything. `query_parameters` names, by action, what
    is read; an action that is not in it reads nothing.
    """

    query_parameters: ClassVar[Mapping[str, Collection[str]]] = {}

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)  # type: ignore[misc]  # a mixin's
        if not self.action:
            return  # a method that is not allowed, whatever it asks for
        known = self.query_parameters.get(self.action, ())
        faults = {
            name: ["Give it once." if name in known else "Unknown parameter."]
            for name, values in request.query_params.lists()
            if name not in known or len(values) > 1
        }
        if faults:
            raise ValidationError(faults)
