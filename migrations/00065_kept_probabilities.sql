-- Of thousands of classes nearly all are as good as impossible, and a float32 for each of them takes more room than all else that is known of an
-- image: of networks with many classes the most probable are kept.

-- +goose Up
ALTER TABLE predictions ADD COLUMN kept_classes integer[];
COMMENT ON COLUMN predictions.kept_classes IS 'Whose probabilities are kept, the most probable first; null where those of all classes are, in their order.';
COMMENT ON COLUMN predictions.probabilities IS 'Softmax of the perception branch, little-endian float32: of kept_classes, or of all K.';

-- +goose Down
ALTER TABLE predictions DROP COLUMN kept_classes;
COMMENT ON COLUMN predictions.probabilities IS 'Softmax of the perception branch: K little-endian float32.';
