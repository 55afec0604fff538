BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE checkpoints (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	training_run INTEGER NOT NULL, 
	"values" JSON NOT NULL, 
	metadata JSON, 
	created INTEGER NOT NULL
);
CREATE TABLE experiments (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	project VARCHAR(32), 
	kind VARCHAR(8) NOT NULL, 
	name VARCHAR(100) NOT NULL, 
	body JSON NOT NULL, 
	state VARCHAR(8) NOT NULL, 
	created INTEGER NOT NULL, 
	updated INTEGER NOT NULL, 
	history INTEGER NOT NULL
);
INSERT INTO "experiments" VALUES(1,'oldproj','ai','recorded','{"name": "recorded", "parallel_bandwidth": 2, "metadata": {"trialflow_key": "61cbf99125ace7b805f2beb8", "trialflow_uid": "experiment-55e3860987", "trialflow_owner": "process 1069 on elsewhere since 2026-11-26 09:05, flow run e1bf6a6f-d948-439c-a19a-2d3b82cde349"}, "parameters": [{"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}}, {"name": "kind", "type": "categorical", "categorical_values": ["a", "b"]}], "metrics": [{"name": "y", "objective": "minimize", "strategy": "optimize"}], "budget": 8}','active',1795683914,1795683914,1);
CREATE TABLE files (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	training_run INTEGER NOT NULL, 
	name VARCHAR(100), 
	filename TEXT, 
	content_type TEXT NOT NULL, 
	content_length INTEGER NOT NULL, 
	content_md5 VARCHAR(32) NOT NULL, 
	created FLOAT NOT NULL, 
	uploaded BOOLEAN NOT NULL
);
CREATE TABLE observations (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	experiment INTEGER NOT NULL, 
	suggestion INTEGER, 
	training_run INTEGER, 
	assignments JSON NOT NULL, 
	"values" JSON NOT NULL, 
	failed BOOLEAN NOT NULL, 
	created INTEGER NOT NULL, 
	deleted BOOLEAN NOT NULL, 
	metadata JSON, 
	task JSON
);
INSERT INTO "observations" VALUES(1,1,1,1,'{"x": 0.5, "kind": "b"}','[{"name": "y", "value": 0.04000000000000001}]',0,1795683916,0,NULL,NULL);
INSERT INTO "observations" VALUES(2,1,2,2,'{"x": 0.22310074308735822, "kind": "a"}','[{"name": "y", "value": 0.005913495713716483}]',0,1795683918,0,NULL,NULL);
INSERT INTO "observations" VALUES(3,1,3,3,'{"x": 0.9973339036793346, "kind": "a"}','[{"name": "y", "value": 0.4862745732206596}]',0,1795683918,0,NULL,NULL);
CREATE TABLE projects (
	id VARCHAR(32) NOT NULL, 
	name VARCHAR(100) NOT NULL, 
	created INTEGER NOT NULL, 
	updated INTEGER NOT NULL, 
	metadata JSON, 
	PRIMARY KEY (id)
);
INSERT INTO "projects" VALUES('default','Default project',1795683860,1795683860,'null');
INSERT INTO "projects" VALUES('oldproj','oldproj',1795683914,1795683914,'null');
CREATE TABLE queued_suggestions (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	experiment INTEGER NOT NULL, 
	assignments JSON NOT NULL, 
	created INTEGER NOT NULL, 
	task JSON
);
CREATE TABLE suggestions (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	experiment INTEGER NOT NULL, 
	training_run INTEGER, 
	assignments JSON NOT NULL, 
	state VARCHAR(8) NOT NULL, 
	method VARCHAR(40) NOT NULL, 
	created INTEGER NOT NULL, 
	deleted BOOLEAN NOT NULL, 
	metadata JSON, 
	task JSON
);
INSERT INTO "suggestions" VALUES(1,1,1,'{"x": 0.5, "kind": "b"}','closed','design',1795683915,0,NULL,NULL);
INSERT INTO "suggestions" VALUES(2,1,2,'{"x": 0.22310074308735822, "kind": "a"}','closed','design',1795683916,0,NULL,NULL);
INSERT INTO "suggestions" VALUES(3,1,3,'{"x": 0.9973339036793346, "kind": "a"}','closed','design',1795683916,0,NULL,NULL);
INSERT INTO "suggestions" VALUES(4,1,4,'{"x": 0.6335099458013603, "kind": "a"}','open','design',1795683918,0,NULL,NULL);
CREATE TABLE training_runs (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	project VARCHAR(32) NOT NULL, 
	experiment INTEGER, 
	name VARCHAR(100) NOT NULL, 
	state VARCHAR(10) NOT NULL, 
	created INTEGER NOT NULL, 
	updated INTEGER NOT NULL, 
	completed INTEGER, 
	deleted BOOLEAN NOT NULL, 
	suggestion INTEGER, 
	observation INTEGER, 
	checkpoint_count INTEGER NOT NULL, 
	data JSON NOT NULL
);
INSERT INTO "training_runs" VALUES(1,'oldproj',1,'run-q3cufjjp','completed',1795683915,1795683916,1795683916,0,1,1,0,'{"assignments": {"x": 0.5, "kind": "b"}, "values": {"y": {"value": 0.04000000000000001}}, "metadata": {}, "sys_metadata": {}, "dev_metadata": {"trialflow_exit_code": 0}, "datasets": {}, "logs": {}, "model": {}, "source_code": {}, "tags": {}, "assignments_meta": {"x": {"source": "SigOpt"}, "kind": {"source": "SigOpt"}}, "assignments_sources": {"SigOpt": {"sort": 1, "default_show": true}}, "favorite": false}');
INSERT INTO "training_runs" VALUES(2,'oldproj',1,'run-fezv5y8k','completed',1795683916,1795683918,1795683918,0,2,2,0,'{"assignments": {"x": 0.22310074308735822, "kind": "a"}, "values": {"y": {"value": 0.005913495713716483}}, "metadata": {}, "sys_metadata": {}, "dev_metadata": {"trialflow_exit_code": 0}, "datasets": {}, "logs": {}, "model": {}, "source_code": {}, "tags": {}, "assignments_meta": {"x": {"source": "SigOpt"}, "kind": {"source": "SigOpt"}}, "assignments_sources": {"SigOpt": {"sort": 1, "default_show": true}}, "favorite": false}');
INSERT INTO "training_runs" VALUES(3,'oldproj',1,'run-g79omza5','completed',1795683916,1795683918,1795683918,0,3,3,0,'{"assignments": {"x": 0.9973339036793346, "kind": "a"}, "values": {"y": {"value": 0.4862745732206596}}, "metadata": {}, "sys_metadata": {}, "dev_metadata": {"trialflow_exit_code": 0}, "datasets": {}, "logs": {}, "model": {}, "source_code": {}, "tags": {}, "assignments_meta": {"x": {"source": "SigOpt"}, "kind": {"source": "SigOpt"}}, "assignments_sources": {"SigOpt": {"sort": 1, "default_show": true}}, "favorite": false}');
INSERT INTO "training_runs" VALUES(4,'oldproj',1,'run-sfspr5sm','active',1795683918,1795683918,NULL,0,4,NULL,0,'{"assignments": {"x": 0.6335099458013603, "kind": "a"}, "values": {}, "metadata": {}, "sys_metadata": {}, "dev_metadata": {}, "datasets": {}, "logs": {}, "model": {}, "source_code": {}, "tags": {}, "assignments_meta": {"x": {"source": "SigOpt"}, "kind": {"source": "SigOpt"}}, "assignments_sources": {"SigOpt": {"sort": 1, "default_show": true}}, "favorite": false}');
CREATE INDEX checkpoints_by_run ON checkpoints (training_run, id);
CREATE INDEX experiments_by_project ON experiments (project, kind, state);
CREATE INDEX files_by_run ON files (training_run);
CREATE INDEX observations_by_experiment ON observations (experiment, deleted, id);
CREATE INDEX queued_by_experiment ON queued_suggestions (experiment);
CREATE INDEX suggestions_by_experiment ON suggestions (experiment, deleted, state);
CREATE INDEX training_runs_by_experiment ON training_runs (experiment, deleted, completed);
CREATE INDEX training_runs_by_name ON training_runs (name);
CREATE INDEX training_runs_by_project ON training_runs (project, id);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('experiments',1);
INSERT INTO "sqlite_sequence" VALUES('training_runs',4);
INSERT INTO "sqlite_sequence" VALUES('suggestions',4);
INSERT INTO "sqlite_sequence" VALUES('observations',3);
COMMIT;
