-- +goose Up
-- A momentum and a seed of 0 were trained as 0.9 and 1, and an engine or optimiser that was not stored as ort and sgd. From now
-- on 0 is used: what is stored says what was trained with, and a round that waits is trained as it would have been.
UPDATE rounds SET settings = '{"engine": "ort", "optimizer": "sgd"}'::jsonb || settings
    || CASE WHEN coalesce((settings->>'momentum')::float8, 0) = 0 THEN '{"momentum": 0.9}'::jsonb ELSE '{}'::jsonb END
    || CASE WHEN coalesce((settings->>'seed')::numeric, 0) = 0 THEN '{"seed": 1}'::jsonb ELSE '{}'::jsonb END;

-- +goose Down
SELECT 1; -- nothing is lost by what is stored now
