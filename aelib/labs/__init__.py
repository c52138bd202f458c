"""What the notebooks in ``labs/`` draw and run: a module a lab, and ``live`` for several."""
