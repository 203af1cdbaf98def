-- A studio may have an interactive segmenter: the editor's clicks then select what it sees there. It knows no classes and serves every project.

-- +goose Up
CREATE TABLE segmenter (
    one           boolean PRIMARY KEY DEFAULT true CHECK (one),
    name          text NOT NULL,
    kind          text NOT NULL CHECK (kind IN ('sam', 'efficientsam')),
    pixels        text NOT NULL CHECK (pixels IN ('normalised', '0-255', '0-1')),
    encoder_hash  text NOT NULL,
    encoder_bytes bigint NOT NULL,
    decoder_hash  text NOT NULL,
    decoder_bytes bigint NOT NULL,
    added_at      timestamptz NOT NULL
);
COMMENT ON TABLE segmenter IS 'The studio''s interactive segmenter, if it has one: two ONNX files, which are blobs.';

-- +goose Down
DROP TABLE segmenter;
