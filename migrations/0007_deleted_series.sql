-- Series of which the run is gone, and the points not yet: those are deleted little by little.
CREATE TABLE deleted_series (
    series_id INTEGER PRIMARY KEY
) STRICT;
