"""One scenario for each known issue of the default catalogue: it really fails that way.

A scenario starts the services that it needs in this process, sends requests or runs jobs, and
tells ProdSentinel about it over HTTP as any service does. No error text is typed in: it comes
from the library, the process or the interpreter that the known issue is about. What this machine
cannot make fail honestly is skipped and says why.

Run them with `python -m fake_services scenario NAME`, `scenario all`, `scenario list`.
"""
