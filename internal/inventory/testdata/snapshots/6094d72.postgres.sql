CREATE TABLE public.api_keys (
    id text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL,
    hash bytea NOT NULL,
    scopes text NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    last_used bigint NOT NULL
);
CREATE TABLE public.credentials (
    auth_user text NOT NULL COLLATE pg_catalog."C",
    extension text NOT NULL COLLATE pg_catalog."C",
    device_id text COLLATE pg_catalog."C",
    line bigint NOT NULL,
    label text NOT NULL,
    secret bytea NOT NULL,
    CONSTRAINT credentials_check CHECK (((line = 0) = (device_id IS NULL)))
);
CREATE TABLE public.device_state (
    device_id text NOT NULL COLLATE pg_catalog."C",
    last_registered bigint NOT NULL,
    user_agent text NOT NULL,
    ip_address text NOT NULL,
    contact text NOT NULL,
    transport text NOT NULL,
    last_provisioned bigint NOT NULL,
    provisioned_revision bigint NOT NULL
);
CREATE TABLE public.devices (
    id text NOT NULL COLLATE pg_catalog."C",
    mac text NOT NULL COLLATE pg_catalog."C",
    vendor text NOT NULL,
    model text NOT NULL,
    name text NOT NULL,
    site text NOT NULL,
    settings text NOT NULL,
    revision bigint NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    CONSTRAINT devices_mac_check CHECK ((length(mac) = 12))
);
CREATE TABLE public.events (
    id bigint NOT NULL,
    at bigint NOT NULL,
    kind text NOT NULL,
    mac text COLLATE pg_catalog."C",
    device_id text COLLATE pg_catalog."C",
    proto text NOT NULL,
    path text NOT NULL,
    outcome text NOT NULL,
    status bigint NOT NULL,
    bytes bigint NOT NULL,
    millis bigint NOT NULL,
    revision bigint NOT NULL,
    user_agent text NOT NULL,
    source text NOT NULL,
    detail text NOT NULL
);
ALTER TABLE public.events ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.events_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.extensions (
    number text NOT NULL COLLATE pg_catalog."C",
    sort_key text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL
);
CREATE TABLE public.leases (
    mac text NOT NULL COLLATE pg_catalog."C",
    ip text NOT NULL,
    client_id text NOT NULL,
    vendor text NOT NULL,
    expires_at bigint NOT NULL,
    CONSTRAINT leases_mac_check CHECK ((length(mac) = 12))
);
CREATE TABLE public.meta (
    name text NOT NULL,
    value bytea NOT NULL
);
CREATE TABLE public.schema_migrations (
    version bigint NOT NULL,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at bigint NOT NULL
);
CREATE TABLE public.seen (
    id text NOT NULL COLLATE pg_catalog."C",
    key text NOT NULL,
    extension text NOT NULL COLLATE pg_catalog."C",
    user_agent text NOT NULL,
    ip_address text NOT NULL,
    contact text NOT NULL,
    transport text NOT NULL,
    last_registered bigint NOT NULL,
    created_at bigint NOT NULL
);
INSERT INTO public.api_keys VALUES ('key_ajpoq6kpppwegz7edvfk', 'ro', '\x24e0ff7bad129fca7de13fb1d9f8850d3b5fafa49be3a6b985d005d1fa73eb16', '["pbx:phones:read"]', 1795628331195, 0, 0);
INSERT INTO public.api_keys VALUES ('key_6yajhh3xcfefdaodzozc', 'admin', '\x8ca9c9df8d03f6d52c6760e0e92f12b27c426c7ff1cd942790f80c30ab4fec7a', '["pbx:phones:read","pbx:phones:write","pbx:extensions:read","pbx:extensions:write","pbx:templates:read","pbx:templates:write","pbx:firmware:read","pbx:firmware:write","pbx:keys:write"]', 1795628330649, 0, 1795628331362);
INSERT INTO public.credentials VALUES ('101_desk', '101', NULL, 0, '', '\x0a5e50875040eb11d7b12b2d10b16bde8c2e5e9bca94c338a29ad0486fd4744b4d1aadbbc2759cf7aaa2');
INSERT INTO public.credentials VALUES ('102_16rbyb', '102', NULL, 0, '', '\xc09e60753aa2b3d6eaa1e9552f47b41908e6791214822c593eefadb95559fd660c0b8c02ede7646d146c5f80ecc9f48c766ff89922347b01');
INSERT INTO public.credentials VALUES ('101_01kl1q', '101', 'phone_arvexfhv35ze7kf2wmec', 1, '', '\x624cc132bcb78cb750548b202232a28c096b54869d12fbbdcfcff183baf7614f0f72827563a1fabde379282a31768e726bfd651f80525c54');
INSERT INTO public.credentials VALUES ('101_mt7uge', '101', 'phone_otebxffudukko2hkga2s', 1, '', '\x64e7158558fe2bd3c3ee0e3c4a65a1bfef7e2a1b4365ab21e9d573f50c258656d4a09ff50063c96c202990a42f83af7de8d3de560dbde2a2');
INSERT INTO public.credentials VALUES ('102_0n6gpj', '102', 'phone_otebxffudukko2hkga2s', 2, '', '\x0b05bc62fb80312c16e4fa80cf19c84f76d30e5023a160b015c38b804dfc0e03e9145895897dc56702dec48941d0c1467d73558cfbde1b18');
INSERT INTO public.device_state VALUES ('phone_otebxffudukko2hkga2s', 1795628331331, 'Yealink SIP-T46S 66.86.0.15', '127.0.0.1', 'sip:101@127.0.0.1:5060;transport=UDP', 'udp', 1795628331206, 1);
INSERT INTO public.devices VALUES ('phone_arvexfhv35ze7kf2wmec', '0004f2abcdef', 'polycom', 'VVX 450', '', '', '{"adminPassword":"old-admin-pw"}', 1, 1795628331174, 1795628331174);
INSERT INTO public.devices VALUES ('phone_otebxffudukko2hkga2s', '001565aabb01', 'yealink', 'T46S', '', '', '{"label":"x"}', 1, 1795628331184, 1795628331184);
INSERT INTO public.events OVERRIDING SYSTEM VALUE VALUES (1, 1795628331206, 'file', '001565aabb01', 'phone_otebxffudukko2hkga2s', 'http', '001565aabb01.cfg', 'ok', 200, 1736, 3, 1, 'curl/7.88.1', '127.0.0.1:60556', '');
INSERT INTO public.events OVERRIDING SYSTEM VALUE VALUES (2, 1795628331333, 'register', NULL, NULL, 'udp', 'sip:101@127.0.0.1:5060;transport=UDP', 'ok', 200, 0, 0, 0, 'Yealink SIP-T46S 66.86.0.15', '127.0.0.1:5060', 'registered as 101@pbx.dev');
INSERT INTO public.extensions VALUES ('101', '03101', 'Front Desk', 1795628331114, 1795628331114);
INSERT INTO public.extensions VALUES ('102', '03102', 'Back', 1795628331149, 1795628331149);
INSERT INTO public.meta VALUES ('key_check', '\xec3576c89c2f0980a5c2c21f41ca737fa4143eb884200cabe43427ca4c62ed5857a37ea617');
INSERT INTO public.schema_migrations VALUES (1, '0001_init.sql', '081cb0f69149d1b8fb61e4276abda6a6937c947d97fd57d1e72ad66da56ded9a', 1795628330487);
SELECT pg_catalog.setval('public.events_id_seq', 2, true);
ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_hash_key UNIQUE (hash);
ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.credentials
    ADD CONSTRAINT credentials_device_id_line_key UNIQUE (device_id, line);
ALTER TABLE ONLY public.credentials
    ADD CONSTRAINT credentials_pkey PRIMARY KEY (auth_user);
ALTER TABLE ONLY public.device_state
    ADD CONSTRAINT device_state_pkey PRIMARY KEY (device_id);
ALTER TABLE ONLY public.devices
    ADD CONSTRAINT devices_mac_key UNIQUE (mac);
ALTER TABLE ONLY public.devices
    ADD CONSTRAINT devices_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.events
    ADD CONSTRAINT events_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.extensions
    ADD CONSTRAINT extensions_pkey PRIMARY KEY (number);
ALTER TABLE ONLY public.extensions
    ADD CONSTRAINT extensions_sort_key_key UNIQUE (sort_key);
ALTER TABLE ONLY public.leases
    ADD CONSTRAINT leases_ip_key UNIQUE (ip);
ALTER TABLE ONLY public.leases
    ADD CONSTRAINT leases_pkey PRIMARY KEY (mac);
ALTER TABLE ONLY public.meta
    ADD CONSTRAINT meta_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.schema_migrations
    ADD CONSTRAINT schema_migrations_pkey PRIMARY KEY (version);
ALTER TABLE ONLY public.seen
    ADD CONSTRAINT seen_key_key UNIQUE (key);
ALTER TABLE ONLY public.seen
    ADD CONSTRAINT seen_pkey PRIMARY KEY (id);
CREATE INDEX credentials_extension ON public.credentials USING btree (extension, line);
CREATE UNIQUE INDEX credentials_own ON public.credentials USING btree (extension) WHERE (line = 0);
CREATE INDEX events_device ON public.events USING btree (device_id, id);
CREATE INDEX events_mac ON public.events USING btree (mac, id);
ALTER TABLE ONLY public.credentials
    ADD CONSTRAINT credentials_device_id_fkey FOREIGN KEY (device_id) REFERENCES public.devices(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.credentials
    ADD CONSTRAINT credentials_extension_fkey FOREIGN KEY (extension) REFERENCES public.extensions(number);
ALTER TABLE ONLY public.device_state
    ADD CONSTRAINT device_state_device_id_fkey FOREIGN KEY (device_id) REFERENCES public.devices(id) ON DELETE CASCADE;
