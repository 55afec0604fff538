"""The service's web pages: what the API knows, for people. Rendered here with Jinja2; small modules of our own and plotly draw in the browser.

A page needs the cookie that `trialflow open` brings (`sign_in.py`). All links are relative, so pages work behind any prefix that a proxy takes away.
"""

from trialflow.service.pages.routes import page_routes

__all__ = ["page_routes"]
