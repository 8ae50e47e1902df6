"""Pictures drawn by the server as SVG: a browser shows them without a script, a printer too."""
