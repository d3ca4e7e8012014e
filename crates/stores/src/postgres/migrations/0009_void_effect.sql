-- A call that came to nothing, with what whoever has its handle is told of it. For its key it is as good as none.
ALTER TABLE bridgehead_effect ADD COLUMN told BYTEA CHECK ((state = 'void') = (told IS NOT NULL));
