"""The tables of version 1.0, and their guards: a date stands as it was opened, with its reward."""

import django.core.validators
import django.db.models.deletion
from typing import Any

from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from raffles.migrations._guards import Guard, changed, drop_guards, make_guards

_OPENED = (
    "EXISTS (SELECT 1 FROM events_occurrence o "
    "WHERE o.event_id = {0}.event_id AND o.date = {0}.date)"
)
_TOO_MANY = "NEW.reward_amount > (SELECT e.max_participants FROM events_event e WHERE e.id = {})"

GUARDS = (
    Guard("event_slug_fixed", "events_event", "UPDATE", when=changed("id", "slug")),
    Guard(
        "event_tickets_within_rewards",
        "events_event",
        "UPDATE",
        when="NEW.max_participants < OLD.max_participants",
        also="EXISTS (SELECT 1 FROM events_reward r "
        "WHERE r.event_id = NEW.id AND r.reward_amount > NEW.max_participants)",
    ),
    Guard(
        "reward_within_tickets",
        "events_reward",
        "INSERT",
        also=_TOO_MANY.format("NEW.event_id"),
    ),
    Guard(
        "reward_still_within_tickets",
        "events_reward",
        "UPDATE",
        also=_TOO_MANY.format("NEW.event_id"),
    ),
    Guard("reward_frozen_insert", "events_reward", "INSERT", also=_OPENED.format("NEW")),
    Guard(
        "reward_frozen",
        "events_reward",
        "UPDATE",
        also=f"{_OPENED.format('OLD')} OR {_OPENED.format('NEW')}",
    ),
    Guard("reward_frozen_delete", "events_reward", "DELETE", also=_OPENED.format("OLD")),
    Guard("occurrence_unchangeable", "events_occurrence", "UPDATE"),
    Guard("occurrence_kept", "events_occurrence", "DELETE"),
)


def make(_apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
    """Create the guards."""
    make_guards(editor, GUARDS)


def drop(_apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
    """Remove what `make` created."""
    drop_guards(editor, GUARDS)


class Migration(migrations.Migration):

    initial = True

    replaces = [
        ('events', '0001_runs'),
        ('events', '0002_calendar'),
        ('events', '0003_guards'),
        ('events', '0004_back_office'),
        ('events', '0005_keys_and_privacy_to_raffles'),
        ('events', '0006_several_tickets'),
        ('events', '0007_rules'),
    ]

    dependencies = [('raffles', '0001_release_1_0')]

    operations = [
        migrations.CreateModel(
            name='Heartbeat',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('ran_at', models.DateTimeField()),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('pk', 1)), name='heartbeat_one')],
            },
        ),
        migrations.CreateModel(
            name='Event',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('reward_name', models.CharField(max_length=200, verbose_name='reward')),
                ('reward_amount', models.PositiveIntegerField(default=1, help_text='How many are given away on a date, each to another ticket.', validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(100000)], verbose_name='amount')),
                ('reward_description', models.CharField(blank=True, default='', max_length=1000, verbose_name='description')),
                ('reward_picture', models.URLField(blank=True, default='', max_length=500, verbose_name='picture')),
                ('name', models.CharField(max_length=180)),
                ('slug', models.SlugField(help_text="Part of the event's address; it can't be changed.", unique=True)),
                ('start_date', models.DateField()),
                ('draw_time', models.TimeField(help_text='On the clocks of the time zone, all year.')),
                ('time_zone', models.CharField(help_text='Such as Europe/Paris.', max_length=64)),
                ('frequency', models.CharField(default='daily', help_text='daily, weekly, monthly, yearly, or an RFC 5545 rule: FREQ=MONTHLY;BYDAY=-1FR', max_length=200)),
                ('until', models.DateField(blank=True, help_text='The last date; empty: no end.', null=True)),
                ('max_participants', models.PositiveIntegerField(help_text='Tickets of each date.', validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(10000000)])),
                ('entry', models.CharField(choices=[('open', 'Anybody'), ('partner', 'Partners with an API key')], default='open', max_length=8)),
                ('one_per_address', models.BooleanField(default=False, help_text='An address holds one ticket of a date at the most.')),
                ('privacy', models.CharField(choices=[('full', 'Full names'), ('initials', 'Initials'), ('number', 'Ticket numbers only')], default='full', max_length=8)),
                ('rest_days', models.PositiveSmallIntegerField(default=0, help_text="Days for which a winner can't take part again; 0: none.", validators=[django.core.validators.MaxValueValidator(366)])),
                ('paused_at', models.DateTimeField(editable=False, null=True)),
                ('settled_until', models.DateTimeField(editable=False)),
                ('ticket_key_id', models.CharField(editable=False, max_length=16)),
                ('created_at', models.DateTimeField(editable=False)),
                ('created_by', models.CharField(editable=False, max_length=200)),
                ('changed_at', models.DateTimeField(editable=False)),
                ('changed_by', models.CharField(editable=False, max_length=200)),
                ('claim_days', models.PositiveSmallIntegerField(blank=True, help_text='Days after the draw; a prize not claimed by then is forfeited. Empty: no limit.', null=True, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(366)], verbose_name='claim within')),
                ('claim_place', models.CharField(blank=True, help_text='Where winners come, in public.', max_length=200, null=True, verbose_name='claim at')),
                ('promotes_alternates', models.BooleanField(blank=True, help_text='A forfeited prize goes to the next alternate by itself.', null=True, verbose_name='promote alternates')),
                ('tickets_per_holder', models.PositiveIntegerField(default=1, help_text='How many tickets one person may have; each is a chance of its own.', validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(1000000)], verbose_name='tickets per holder')),
                ('max_wins_per_holder', models.PositiveIntegerField(default=0, help_text='How often one person may be drawn, as an alternate too. 0: no limit beyond one prize a ticket.', validators=[django.core.validators.MaxValueValidator(1000000)], verbose_name='wins per holder')),
                ('rules_hash', models.CharField(blank=True, max_length=64, null=True, verbose_name='rules')),
            ],
            options={
                'ordering': ('-id',),
                'constraints': [models.CheckConstraint(condition=models.Q(('max_participants__range', (1, 10000000))), name='event_has_tickets'), models.CheckConstraint(condition=models.Q(('reward_amount__range', (1, 100000))), name='event_reward_amount_positive'), models.CheckConstraint(condition=models.Q(('reward_amount__lte', models.F('max_participants'))), name='event_reward_within_tickets', violation_error_message="A reward's amount can't be larger than max_participants"), models.CheckConstraint(condition=models.Q(('rest_days__lte', 366)), name='event_rest_within_limit'), models.CheckConstraint(condition=models.Q(('slug__in', ['upcoming', 'update_events', 'winners']), _negated=True), name='event_slug_is_free', violation_error_message='This word is taken by the site.'), models.CheckConstraint(condition=models.Q(('tickets_per_holder__range', (1, 1000000))), name='event_tickets_per_holder_within_limit'), models.CheckConstraint(condition=models.Q(('max_wins_per_holder__lte', 1000000)), name='event_max_wins_per_holder_within_limit')],
            },
        ),
        migrations.CreateModel(
            name='Setback',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('attempts', models.PositiveIntegerField(default=0)),
                ('error', models.CharField(max_length=500)),
                ('failed_at', models.DateTimeField()),
                ('next_try_at', models.DateTimeField()),
                ('raffle', models.OneToOneField(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='setback', to='raffles.raffle')),
                ('event', models.OneToOneField(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='setback', to='events.event')),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('raffle__isnull', True), ('event__isnull', True), _connector='XOR'), name='setback_of_one')],
            },
        ),
        migrations.CreateModel(
            name='Occurrence',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('reward_name', models.CharField(max_length=200, verbose_name='reward')),
                ('reward_amount', models.PositiveIntegerField(default=1, help_text='How many are given away on a date, each to another ticket.', validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(100000)], verbose_name='amount')),
                ('reward_description', models.CharField(blank=True, default='', max_length=1000, verbose_name='description')),
                ('reward_picture', models.URLField(blank=True, default='', max_length=500, verbose_name='picture')),
                ('date', models.DateField()),
                ('draw_at', models.DateTimeField()),
                ('time_zone', models.CharField(max_length=64)),
                ('max_participants', models.PositiveIntegerField()),
                ('event', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='occurrences', to='events.event')),
                ('raffle', models.OneToOneField(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='occurrence', to='raffles.raffle')),
            ],
            options={
                'ordering': ('-id',),
                'constraints': [models.UniqueConstraint(fields=('event', 'date'), name='occurrence_once_a_date')],
            },
        ),
        migrations.CreateModel(
            name='Reward',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('reward_name', models.CharField(max_length=200, verbose_name='reward')),
                ('reward_amount', models.PositiveIntegerField(default=1, help_text='How many are given away on a date, each to another ticket.', validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(100000)], verbose_name='amount')),
                ('reward_description', models.CharField(blank=True, default='', max_length=1000, verbose_name='description')),
                ('reward_picture', models.URLField(blank=True, default='', max_length=500, verbose_name='picture')),
                ('date', models.DateField()),
                ('event', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='rewards', to='events.event')),
            ],
            options={
                'ordering': ('date',),
                'constraints': [models.UniqueConstraint(fields=('event', 'date'), name='reward_once_a_date'), models.CheckConstraint(condition=models.Q(('reward_amount__range', (1, 100000))), name='reward_amount_positive')],
            },
        ),
        migrations.RunPython(make, drop),
    ]
