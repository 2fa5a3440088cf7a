"""The tables of version 1.0, and what the database holds itself."""

import django.core.serializers.json
import django.core.validators
import django.db.models.deletion
import raffles.models.lineage
import secrets
import uuid
from django.db import migrations, models

from raffles.migrations._release_1_0 import drop, make


class Migration(migrations.Migration):

    initial = True

    # What installations from before the release have applied: `migrate` takes it for this one.
    replaces = [
        ('raffles', '0001_initial'),
        ('raffles', '0002_guards'),
        ('raffles', '0003_through_events'),
        ('raffles', '0004_announcing'),
        ('raffles', '0005_claim_function'),
        ('raffles', '0006_back_office'),
        ('raffles', '0007_lean_deliveries'),
        ('raffles', '0008_acts_by_deed'),
        ('raffles', '0009_names_can_be_forgotten'),
        ('raffles', '0010_one_word_for_a_thing'),
        ('raffles', '0011_last_attempt'),
        ('raffles', '0012_draw_protocol_2'),
        ('raffles', '0013_witnesses'),
        ('raffles', '0014_witnessed_logs'),
        ('raffles', '0015_raffle_zone'),
        ('raffles', '0016_lost_codes'),
        ('raffles', '0017_witnesses_that_disagree'),
        ('raffles', '0018_turns_of_runs'),
        ('raffles', '0019_names_hidden_after_the_draw'),
        ('raffles', '0020_entry_by_list'),
        ('raffles', '0021_several_tickets'),
        ('raffles', '0022_ways_in'),
        ('raffles', '0023_exclusions_and_rules'),
        ('raffles', '0024_lineage'),
        ('raffles', '0025_prize_picture'),
    ]

    # The groups of staff that follow `migrate` need both.
    dependencies = [
        ('auth', '0012_alter_user_first_name_max_length'),
        ('contenttypes', '0002_remove_content_type_name'),
    ]

    operations = [
        migrations.CreateModel(
            name='Raffle',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uuid', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('name', models.CharField(max_length=200)),
                ('total_tickets', models.PositiveIntegerField(validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(10000000)])),
                ('alternates', models.PositiveSmallIntegerField(default=10, help_text='Entries drawn beyond the prizes, to replace winners who do not come.', validators=[django.core.validators.MaxValueValidator(1000)])),
                ('entropy', models.CharField(choices=[('system', 'System'), ('drand', 'Drand')], default='system', max_length=8)),
                ('closes_at', models.DateTimeField(blank=True, help_text='Empty: drawn when sold out. Whole seconds.', null=True)),
                ('state', models.CharField(choices=[('open', 'Open'), ('closed', 'Closed'), ('sealed', 'Sealed'), ('drawn', 'Drawn'), ('void', 'Void')], default='open', editable=False, max_length=8)),
                ('numbering_key', models.BinaryField(default=secrets.token_bytes, max_length=32)),
                ('ticket_key_id', models.CharField(editable=False, max_length=16)),
                ('created_at', models.DateTimeField(editable=False)),
                ('created_by', models.CharField(editable=False, max_length=200)),
                ('request_tag', models.BinaryField(max_length=16, null=True)),
                ('request_digest', models.BinaryField(max_length=32, null=True)),
                ('voided_at', models.DateTimeField(editable=False, null=True)),
                ('void_reason', models.CharField(blank=True, default='', editable=False, max_length=200)),
                ('event_slug', models.CharField(editable=False, max_length=50, null=True)),
                ('claim_days', models.PositiveSmallIntegerField(blank=True, help_text='Days after the draw; a prize not claimed by then is forfeited. Empty: no limit.', null=True, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(366)], verbose_name='claim within')),
                ('claim_place', models.CharField(blank=True, help_text='Where winners come, in public.', max_length=200, null=True, verbose_name='claim at')),
                ('promotes_alternates', models.BooleanField(blank=True, help_text='A forfeited prize goes to the next alternate by itself.', null=True, verbose_name='promote alternates')),
                ('privacy', models.CharField(choices=[('full', 'Full names'), ('initials', 'Initials'), ('number', 'Ticket numbers only')], default='number', editable=False, max_length=8)),
                ('operator', models.CharField(editable=False, max_length=200)),
                ('entry', models.CharField(choices=[('address', 'Address'), ('username', 'Username'), ('email', 'E-mail'), ('invitation', 'Invitation'), ('list', 'List'), ('partner', 'Partner')], default='address', max_length=10, verbose_name='way in')),
                ('witnesses', models.JSONField(default=dict, editable=False)),
                ('time_zone', models.CharField(blank=True, help_text='Its times are shown and typed on these clocks.', max_length=64, null=True)),
                ('tickets_per_holder', models.PositiveIntegerField(default=1, help_text='How many tickets one person may have; each is a chance of its own.', validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(1000000)], verbose_name='tickets per holder')),
                ('max_wins_per_holder', models.PositiveIntegerField(default=0, help_text='How often one person may be drawn, as an alternate too. 0: no limit beyond one prize a ticket.', validators=[django.core.validators.MaxValueValidator(1000000)], verbose_name='wins per holder')),
                ('opens_at', models.DateTimeField(blank=True, help_text='Empty: at once. Whole seconds.', null=True)),
                ('rules_hash', models.CharField(blank=True, default='', editable=False, max_length=64)),
            ],
            options={
                'ordering': ('-id',),
                'indexes': [models.Index(condition=models.Q(('state__in', ['drawn', 'void']), _negated=True), fields=['closes_at'], name='raffle_unfinished')],
                'constraints': [models.CheckConstraint(condition=models.Q(('total_tickets__range', (1, 10000000))), name='raffle_has_tickets'), models.CheckConstraint(condition=models.Q(('alternates__lte', 1000)), name='raffle_alternates_within_limit'), models.CheckConstraint(condition=models.Q(('state__in', ['open', 'closed', 'sealed', 'drawn', 'void'])), name='raffle_state_is_known'), models.CheckConstraint(condition=models.Q(('entropy__in', ['system', 'drand'])), name='raffle_entropy_is_known'), models.CheckConstraint(condition=models.Q(models.Q(('state', 'void'), ('voided_at__isnull', False), models.Q(('void_reason', ''), _negated=True)), models.Q(models.Q(('state', 'void'), _negated=True), ('void_reason', ''), ('voided_at__isnull', True)), _connector='OR'), name='raffle_void_has_reason'), models.UniqueConstraint(fields=('request_tag',), name='raffle_created_once'), models.CheckConstraint(condition=models.Q(models.Q(('request_digest__isnull', True), ('request_tag__isnull', True)), models.Q(('request_digest__isnull', False), ('request_tag__isnull', False)), _connector='OR'), name='raffle_request_is_whole'), models.CheckConstraint(condition=models.Q(('opens_at__isnull', True), ('closes_at__isnull', True), ('opens_at__lt', models.F('closes_at')), _connector='OR'), name='raffle_opens_before_it_closes'), models.CheckConstraint(condition=models.Q(('tickets_per_holder__range', (1, 1000000))), name='raffle_tickets_per_holder_within_limit'), models.CheckConstraint(condition=models.Q(('max_wins_per_holder__lte', 1000000)), name='raffle_max_wins_per_holder_within_limit')],
                'permissions': (('run_raffle', 'Can seal and draw raffles'), ('void_raffle', 'Can void raffles'), ('export_raffle', 'Can export entries, winners and evidence')),
            },
        ),
        migrations.CreateModel(
            name='Prize',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('raffle', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='prizes', to='raffles.raffle')),
                ('position', models.PositiveSmallIntegerField(editable=False)),
                ('name', models.CharField(max_length=200)),
                ('amount', models.PositiveIntegerField(validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(100000)])),
                ('picture', models.URLField(blank=True, db_default='', default='', help_text='Address of a picture on this site; others are not shown.', max_length=500, verbose_name='picture')),
            ],
            options={
                'ordering': ('position',),
                'constraints': [models.UniqueConstraint(fields=('raffle', 'position'), name='prize_position_once'), models.CheckConstraint(condition=models.Q(('amount__range', (1, 100000))), name='prize_amount_positive')],
            },
        ),
        migrations.CreateModel(
            name='Stripe',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('raffle', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='stripes', to='raffles.raffle')),
                ('stripe', models.PositiveSmallIntegerField()),
                ('lo', models.PositiveIntegerField()),
                ('cap', models.PositiveIntegerField()),
                ('issued', models.PositiveIntegerField(default=0)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('raffle', 'stripe'), name='stripe_once'), models.CheckConstraint(condition=models.Q(('issued__lte', models.F('cap'))), name='stripe_issued_within_capacity')],
            },
        ),
        migrations.CreateModel(
            name='StreamCounter',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('last', models.BigIntegerField(default=0)),
                ('at', models.BigIntegerField(default=0)),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('pk', 1)), name='stream_counter_one')],
            },
        ),
        migrations.CreateModel(
            name='Announcement',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('sequence', models.BigIntegerField(unique=True)),
                ('kind', models.CharField(choices=[('raffle.sold_out', 'Sold Out'), ('draw.sealed', 'Sealed'), ('draw.drawn', 'Drawn'), ('draw.voided', 'Voided'), ('winner.replaced', 'Replaced'), ('key', 'Key'), ('key_retired', 'Key Retired')], max_length=20)),
                ('raffle', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='announcements', to='raffles.raffle')),
                ('payload', models.JSONField()),
                ('announced_at', models.DateTimeField()),
                ('announced_by', models.CharField(max_length=200)),
                ('statement', models.BinaryField(max_length=65535, unique=True)),
            ],
            options={
                'ordering': ('sequence',),
                'indexes': [models.Index(condition=models.Q(('kind__in', ['key', 'key_retired'])), fields=['sequence'], name='announcement_keys')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('kind', 'winner.replaced'), _negated=True), fields=('raffle', 'kind'), name='announced_once')],
            },
        ),
        migrations.CreateModel(
            name='Ticket',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('raffle', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='tickets', to='raffles.raffle')),
                ('slot', models.PositiveIntegerField()),
                ('holder_tag', models.BinaryField(max_length=16, null=True)),
                ('code_tag', models.BinaryField(max_length=16, null=True)),
                ('leaf_hash', models.BinaryField(max_length=32, null=True)),
                ('request_tag', models.BinaryField(max_length=16, null=True)),
                ('issued_at', models.DateTimeField()),
                ('erased_at', models.DateTimeField(null=True)),
                ('username', models.CharField(max_length=150, null=True)),
                ('order_tag', models.BinaryField(max_length=16, null=True)),
                ('address_tag', models.BinaryField(max_length=16, null=True)),
                ('nth', models.PositiveIntegerField(default=0)),
                ('channel', models.CharField(choices=[('online', 'online'), ('paid', 'paid'), ('free', 'free'), ('postal', 'by post'), ('paper', 'on paper'), ('partner', 'by a partner'), ('list', 'from a list')], max_length=8, null=True)),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('erased_at__isnull', False), ('holder_tag__isnull', False)), fields=['raffle'], name='ticket_to_be_erased'), models.Index(condition=models.Q(('channel__isnull', False)), fields=['raffle', 'channel'], name='ticket_by_channel')],
                'constraints': [models.UniqueConstraint(fields=('raffle', 'slot'), name='ticket_slot_once'), models.CheckConstraint(condition=models.Q(models.Q(('code_tag__isnull', False), ('holder_tag__isnull', False)), models.Q(('code_tag__isnull', True), ('holder_tag__isnull', True), ('leaf_hash__isnull', False)), _connector='OR'), name='ticket_keeps_tags_or_leaf'), models.CheckConstraint(condition=models.Q(('channel__in', ['online', 'paid', 'free', 'postal', 'paper', 'partner', 'list'])), name='ticket_channel_is_known'), models.UniqueConstraint(fields=('raffle', 'holder_tag', 'nth'), name='ticket_holder_nth_once'), models.UniqueConstraint(condition=models.Q(('order_tag__isnull', False)), fields=('order_tag',), name='ticket_order_once'), models.UniqueConstraint(condition=models.Q(('address_tag__isnull', False)), fields=('raffle', 'address_tag'), name='ticket_address_once')],
            },
        ),
        migrations.CreateModel(
            name='Pool',
            fields=[
                ('raffle', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='pool', serialize=False, to='raffles.raffle')),
                ('tickets', models.PositiveIntegerField()),
                ('root', models.BinaryField(max_length=32)),
                ('levels', models.BinaryField()),
                ('channels', models.JSONField(default=dict)),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('tickets__gte', 1)), name='pool_is_not_empty')],
            },
        ),
        migrations.CreateModel(
            name='Winner',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('raffle', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='winners', to='raffles.raffle')),
                ('rank', models.PositiveIntegerField()),
                ('slot', models.PositiveIntegerField()),
                ('index', models.PositiveIntegerField()),
                ('prize', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='winners', to='raffles.prize')),
                ('leaf', models.BinaryField(max_length=56)),
                ('ticket', models.ForeignObject(from_fields=('raffle', 'slot'), on_delete=django.db.models.deletion.PROTECT, related_name='+', to='raffles.ticket', to_fields=('raffle', 'slot'))),
            ],
            options={
                'ordering': ('rank',),
                'constraints': [models.UniqueConstraint(fields=('raffle', 'rank'), name='winner_rank_once'), models.UniqueConstraint(fields=('raffle', 'slot'), name='winner_ticket_once'), models.CheckConstraint(condition=models.Q(('rank__gte', 1)), name='winner_rank_positive')],
                'permissions': (('hand_over_prize', 'Can check codes and hand over prizes'),),
            },
        ),
        migrations.CreateModel(
            name='Replacement',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('raffle', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='replacements', to='raffles.raffle')),
                ('winner', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='replacement', to='raffles.winner')),
                ('alternate', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='replaces', to='raffles.winner')),
                ('prize', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='raffles.prize')),
                ('reason', models.CharField(max_length=200)),
                ('replaced_at', models.DateTimeField()),
                ('actor', models.CharField(max_length=200)),
            ],
            options={
                'ordering': ('id',),
                'constraints': [models.CheckConstraint(condition=models.Q(('reason', ''), _negated=True), name='replacement_has_reason'), models.CheckConstraint(condition=models.Q(('winner', models.F('alternate')), _negated=True), name='replacement_is_another')],
            },
        ),
        migrations.CreateModel(
            name='Endpoint',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uuid', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('channel', models.CharField(choices=[('webhook', 'webhook'), ('mail', 'e-mail to staff'), ('winners', 'e-mail to winners')], default='webhook', max_length=8)),
                ('address', models.CharField(blank=True, default='', help_text='A URL, or an e-mail address.', max_length=500)),
                ('kinds', models.JSONField(blank=True, default=list, help_text='Which announcements; nothing chosen means all.')),
                ('topic', models.CharField(blank=True, default='', help_text='Only this event (its slug), or all.', max_length=100)),
                ('is_enabled', models.BooleanField(default=True, verbose_name='enabled')),
                ('disabled_because', models.CharField(blank=True, default='', editable=False, max_length=200)),
                ('created_at', models.DateTimeField(editable=False)),
                ('key_id', models.CharField(editable=False, max_length=16)),
                ('secret_version', models.PositiveIntegerField(default=1, editable=False)),
                ('previous_key_id', models.CharField(blank=True, default='', editable=False, max_length=16)),
                ('rotated_at', models.DateTimeField(editable=False, null=True)),
                ('fence', models.BigIntegerField(default=0, editable=False)),
                ('leased_until', models.DateTimeField(editable=False, null=True)),
                ('failures', models.PositiveIntegerField(default=0, editable=False)),
                ('failing_since', models.DateTimeField(editable=False, null=True)),
                ('rests_until', models.DateTimeField(editable=False, null=True)),
                ('rests_because', models.CharField(blank=True, default='', editable=False, max_length=200)),
            ],
            options={
                'ordering': ('id',),
                'constraints': [models.UniqueConstraint(condition=models.Q(('channel', 'winners')), fields=('channel',), name='endpoint_winners_one'), models.CheckConstraint(condition=models.Q(models.Q(('address', ''), ('channel', 'winners')), models.Q(models.Q(('channel', 'winners'), _negated=True), models.Q(('address', ''), _negated=True)), _connector='OR'), name='endpoint_has_address')],
            },
        ),
        migrations.CreateModel(
            name='Delivery',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('message_id', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('state', models.CharField(choices=[('pending', 'Pending'), ('delivered', 'Delivered'), ('dead', 'Dead')], default='pending', max_length=9)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('next_try_at', models.DateTimeField()),
                ('created_at', models.DateTimeField()),
                ('finished_at', models.DateTimeField(null=True)),
                ('announcement', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='deliveries', to='raffles.announcement')),
                ('winner', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='raffles.winner')),
                ('endpoint', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='deliveries', to='raffles.endpoint')),
                ('last_attempt_at', models.DateTimeField(null=True)),
                ('last_status', models.PositiveSmallIntegerField(null=True)),
                ('last_milliseconds', models.PositiveIntegerField(null=True)),
                ('last_detail', models.CharField(blank=True, default='', max_length=200)),
            ],
            options={
                'verbose_name_plural': 'deliveries',
                'ordering': ('-id',),
                'indexes': [models.Index(condition=models.Q(('state', 'pending')), fields=['endpoint', 'next_try_at'], name='delivery_pending'), models.Index(condition=models.Q(('state', 'dead')), fields=['id'], name='delivery_dead')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('winner__isnull', True)), fields=('endpoint', 'announcement'), name='delivery_once'), models.CheckConstraint(condition=models.Q(('state__in', ['pending', 'delivered', 'dead'])), name='delivery_state_is_known'), models.UniqueConstraint(condition=models.Q(('winner__isnull', False)), fields=('endpoint', 'announcement', 'winner'), name='delivery_once_a_winner')],
            },
        ),
        migrations.CreateModel(
            name='Attempt',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveSmallIntegerField()),
                ('at', models.DateTimeField()),
                ('milliseconds', models.PositiveIntegerField()),
                ('status', models.PositiveSmallIntegerField(null=True)),
                ('detail', models.CharField(blank=True, default='', max_length=200)),
                ('delivery', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='log', to='raffles.delivery')),
            ],
            options={
                'ordering': ('delivery', 'id'),
            },
        ),
        migrations.CreateModel(
            name='Contact',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('slot', models.PositiveIntegerField()),
                ('email', models.EmailField(max_length=254)),
                ('raffle', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='raffles.raffle')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('raffle', 'slot'), name='contact_ticket_once')],
            },
        ),
        migrations.CreateModel(
            name='Outbox',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('spread', models.BigIntegerField(default=0)),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('pk', 1)), name='outbox_one')],
            },
        ),
        migrations.CreateModel(
            name='Handover',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('claim_until', models.DateTimeField(null=True)),
                ('notified_at', models.DateTimeField(null=True)),
                ('claimed_at', models.DateTimeField(null=True)),
                ('handed_over_at', models.DateTimeField(null=True)),
                ('forfeited_at', models.DateTimeField(null=True)),
                ('winner', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='handover', to='raffles.winner')),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('claim_until__isnull', False), ('claimed_at__isnull', True), ('forfeited_at__isnull', True)), fields=['claim_until'], name='handover_pending')],
                'constraints': [models.CheckConstraint(condition=models.Q(('handed_over_at__isnull', True), ('claimed_at__isnull', False), _connector='OR'), name='handover_after_claim'), models.CheckConstraint(condition=models.Q(('handed_over_at__isnull', True), ('forfeited_at__isnull', True), _connector='OR'), name='handover_or_forfeit')],
                'permissions': (('claim_without_code', 'Can note a claim without the code'),),
            },
        ),
        migrations.CreateModel(
            name='LogEntry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('subject', models.CharField(max_length=120)),
                ('action', models.CharField(max_length=40)),
                ('at', models.DateTimeField()),
                ('by', models.CharField(max_length=200)),
                ('why', models.CharField(blank=True, default='', max_length=500)),
                ('details', models.JSONField(default=dict, encoder=django.core.serializers.json.DjangoJSONEncoder)),
            ],
            options={
                'ordering': ('-id',),
                'indexes': [models.Index(fields=['subject', 'id'], name='act_by_subject'), models.Index(fields=['action', 'id'], name='act_by_deed')],
                'db_table': 'raffles_act',
                'verbose_name_plural': 'log entries',
            },
        ),
        migrations.CreateModel(
            name='ApiKey',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(help_text='Whose it is.', max_length=200)),
                ('key_hash', models.BinaryField(max_length=32, unique=True)),
                ('hint', models.CharField(editable=False, max_length=12)),
                ('rate', models.CharField(blank=True, default='', help_text='Such as 600/min; empty: the usual rate of keys.', max_length=20)),
                ('expires_at', models.DateTimeField(blank=True, help_text='Empty: never.', null=True)),
                ('last_used_at', models.DateTimeField(editable=False, null=True)),
                ('created_at', models.DateTimeField(editable=False)),
                ('created_by', models.CharField(editable=False, max_length=200)),
            ],
            options={
                'db_table': 'events_apikey',
                'verbose_name': 'API key',
                'ordering': ('-id',),
            },
        ),
        migrations.CreateModel(
            name='Draw',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('closed_at', models.DateTimeField()),
                ('round', models.BigIntegerField(null=True)),
                ('commitment_hash', models.BinaryField(max_length=32, unique=True)),
                ('public_key', models.CharField(max_length=64)),
                ('signature', models.BinaryField(max_length=64)),
                ('statement', models.BigIntegerField()),
                ('log', models.JSONField(null=True)),
                ('randomness', models.BinaryField(max_length=32, null=True)),
                ('beacon_signature', models.BinaryField(max_length=48, null=True)),
                ('drawn_at', models.DateTimeField(null=True)),
                ('voided_at', models.DateTimeField(null=True)),
                ('void_reason', models.CharField(blank=True, default='', max_length=200)),
                ('void_public_key', models.CharField(blank=True, default='', max_length=64)),
                ('void_signature', models.BinaryField(max_length=64, null=True)),
                ('raffle', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='draw', to='raffles.raffle')),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('drawn_at__isnull', False)), fields=['drawn_at'], name='draw_by_time'), models.Index(condition=models.Q(('drawn_at__isnull', True), ('voided_at__isnull', True)), fields=['round'], name='draw_waiting')],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('drawn_at__isnull', True), ('randomness__isnull', True)), models.Q(('drawn_at__isnull', False), ('randomness__isnull', False), ('voided_at__isnull', True)), _connector='OR'), name='draw_drawn_is_whole'), models.CheckConstraint(condition=models.Q(models.Q(('beacon_signature__isnull', True), ('randomness__isnull', True)), models.Q(('beacon_signature__isnull', True), ('randomness__isnull', False), ('round__isnull', True)), models.Q(('beacon_signature__isnull', False), ('randomness__isnull', False), ('round__isnull', False)), _connector='OR'), name='draw_beacon_is_whole'), models.CheckConstraint(condition=models.Q(models.Q(('void_reason', ''), ('void_signature__isnull', True), ('voided_at__isnull', True)), models.Q(('void_signature__isnull', False), ('voided_at__isnull', False), models.Q(('void_reason', ''), _negated=True)), _connector='OR'), name='draw_void_has_reason')],
            },
        ),
        migrations.CreateModel(
            name='LogNode',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('level', models.PositiveSmallIntegerField()),
                ('index', models.BigIntegerField()),
                ('hash', models.BinaryField(max_length=32)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('level', 'index'), name='log_node_once')],
            },
        ),
        migrations.CreateModel(
            name='AuthorityKey',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('url', models.CharField(max_length=500)),
                ('key', models.CharField(max_length=64)),
                ('ends_at', models.DateTimeField()),
                ('learned_at', models.DateTimeField()),
            ],
            options={
                'ordering': ('-ends_at', 'key'),
                'constraints': [models.UniqueConstraint(fields=('url', 'key'), name='authority_key_once')],
            },
        ),
        migrations.CreateModel(
            name='Witness',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('url', models.CharField(max_length=500, unique=True)),
                ('size', models.BigIntegerField(default=0)),
                ('fence', models.BigIntegerField(default=0)),
                ('leased_until', models.DateTimeField(null=True)),
                ('rests_until', models.DateTimeField(null=True)),
                ('disagrees_since', models.DateTimeField(null=True)),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('size__gte', 0)), name='witness_has_size')],
            },
        ),
        migrations.CreateModel(
            name='WitnessAnswer',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('cosignature', 'Cosignature'), ('token', 'Token')], max_length=11)),
                ('name', models.CharField(max_length=200)),
                ('key', models.CharField(max_length=64)),
                ('size', models.BigIntegerField()),
                ('root', models.BinaryField(max_length=32)),
                ('at', models.BigIntegerField()),
                ('content', models.BinaryField(max_length=16384)),
            ],
            options={
                'ordering': ('size', 'name', 'key'),
                'constraints': [models.UniqueConstraint(fields=('size', 'kind', 'name', 'key'), name='witness_answer_once'), models.CheckConstraint(condition=models.Q(('kind__in', ['cosignature', 'token'])), name='witness_answer_kind_is_known'), models.CheckConstraint(condition=models.Q(('size__gte', 1)), name='witness_answer_has_checkpoint')],
            },
        ),
        migrations.CreateModel(
            name='WitnessedLog',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('origin', models.CharField(max_length=200)),
                ('size', models.BigIntegerField(default=0)),
                ('root', models.BinaryField(default=b"\xe3\xb0\xc4B\x98\xfc\x1c\x14\x9a\xfb\xf4\xc8\x99o\xb9$'\xaeA\xe4d\x9b\x93L\xa4\x95\x99\x1bxR\xb8U", max_length=32)),
                ('read', models.BigIntegerField(default=0)),
                ('frontier', models.BinaryField(default=b'')),
                ('flaw', models.CharField(blank=True, default='', max_length=200)),
                ('refused_at', models.DateTimeField(null=True)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('origin',), name='witnessed_log_once'), models.CheckConstraint(condition=models.Q(('refused_at', None), models.Q(('flaw', ''), _negated=True), _connector='OR'), name='witnessed_log_refused_for_a_flaw')],
            },
        ),
        migrations.CreateModel(
            name='WitnessedSeal',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('raffle_uuid', models.UUIDField()),
                ('n', models.BigIntegerField()),
                ('log', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='seals', to='raffles.witnessedlog')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('log', 'raffle_uuid'), name='witnessed_seal_once')],
            },
        ),
        migrations.CreateModel(
            name='RunLease',
            fields=[
                ('raffle', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='+', serialize=False, to='raffles.raffle')),
                ('since', models.DateTimeField()),
                ('until', models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name='SkippedEntry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('step', models.PositiveIntegerField()),
                ('slot', models.PositiveIntegerField()),
                ('index', models.PositiveIntegerField()),
                ('leaf', models.BinaryField(max_length=56)),
                ('raffle', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='skipped', to='raffles.raffle')),
            ],
            options={
                'ordering': ('step',),
                'constraints': [models.UniqueConstraint(fields=('raffle', 'step'), name='skipped_step_once')],
            },
        ),
        migrations.CreateModel(
            name='SentMail',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('address_tag', models.BinaryField(max_length=16)),
                ('place', models.PositiveSmallIntegerField()),
                ('sent_at', models.DateTimeField(db_index=True)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('address_tag', 'place'), name='sent_mail_place_once'), models.CheckConstraint(condition=models.Q(('place__lt', 3)), name='sent_mail_within_limit')],
            },
        ),
        migrations.CreateModel(
            name='Invitation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('batch', models.BinaryField(max_length=16)),
                ('n', models.PositiveIntegerField()),
                ('code_tag', models.BinaryField(max_length=16)),
                ('tickets', models.PositiveIntegerField(default=1, validators=[django.core.validators.MinValueValidator(1)])),
                ('channel', models.CharField(choices=[('online', 'online'), ('paid', 'paid'), ('free', 'free'), ('postal', 'by post'), ('paper', 'on paper'), ('partner', 'by a partner'), ('list', 'from a list')], max_length=8, null=True)),
                ('made_at', models.DateTimeField()),
                ('made_by', models.CharField(max_length=200)),
                ('used_at', models.DateTimeField(null=True)),
                ('withdrawn_at', models.DateTimeField(null=True)),
                ('raffle', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='invitations', to='raffles.raffle')),
            ],
            options={
                'verbose_name': 'invitation',
                'constraints': [models.UniqueConstraint(fields=('raffle', 'code_tag'), name='invitation_code_once'), models.UniqueConstraint(fields=('raffle', 'batch', 'n'), name='invitation_batch_once'), models.CheckConstraint(condition=models.Q(('tickets__gte', 1)), name='invitation_has_tickets'), models.CheckConstraint(condition=models.Q(('channel__in', ['online', 'paid', 'free', 'postal', 'paper', 'partner', 'list'])), name='invitation_channel_is_known'), models.CheckConstraint(condition=models.Q(('used_at__isnull', True), ('withdrawn_at__isnull', True), _connector='OR'), name='invitation_used_or_withdrawn')],
            },
        ),
        migrations.CreateModel(
            name='Exclusion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('tag', models.BinaryField(max_length=16)),
                ('key_id', models.CharField(editable=False, max_length=16)),
                ('kind', models.CharField(choices=[('address', 'Internet address'), ('user', 'Username'), ('mail', 'E-mail address'), ('list', 'Identifier in a list')], editable=False, max_length=8)),
                ('event_slug', models.CharField(editable=False, max_length=50, null=True, verbose_name='event')),
                ('reason', models.CharField(help_text='For the staff alone. Write no name: who it is stays unknown here.', max_length=200, verbose_name='reason')),
                ('ends_at', models.DateTimeField(blank=True, help_text='Empty: never.', null=True, verbose_name='ends')),
                ('created_at', models.DateTimeField(editable=False, verbose_name='made')),
                ('created_by', models.CharField(editable=False, max_length=200, verbose_name='made by')),
                ('raffle', models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='exclusions', to='raffles.raffle')),
            ],
            options={
                'ordering': ('-id',),
                'indexes': [models.Index(fields=['tag'], name='exclusion_by_tag')],
                'constraints': [models.CheckConstraint(condition=models.Q(('kind__in', ['address', 'user', 'mail', 'list'])), name='exclusion_kind_is_known'), models.CheckConstraint(condition=models.Q(('raffle__isnull', True), ('event_slug__isnull', True), _connector='OR'), name='exclusion_has_one_scope'), models.CheckConstraint(condition=models.Q(('reason', ''), _negated=True), name='exclusion_has_reason'), models.UniqueConstraint(condition=models.Q(('event_slug__isnull', True), ('raffle__isnull', True)), fields=('tag',), name='exclusion_everywhere_once'), models.UniqueConstraint(condition=models.Q(('raffle__isnull', False)), fields=('tag', 'raffle'), name='exclusion_from_raffle_once'), models.UniqueConstraint(condition=models.Q(('event_slug__isnull', False)), fields=('tag', 'event_slug'), name='exclusion_from_event_once')],
            },
        ),
        migrations.CreateModel(
            name='Rules',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('hash', models.CharField(max_length=64, unique=True)),
                ('text', models.TextField(max_length=50000)),
                ('created_at', models.DateTimeField()),
                ('created_by', models.CharField(max_length=200)),
            ],
            options={
                'verbose_name_plural': 'rules',
                'ordering': ('-id',),
                'constraints': [models.CheckConstraint(condition=models.Q(('text', ''), _negated=True), name='rules_say_something')],
            },
        ),
        migrations.CreateModel(
            name='Lineage',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('installation', models.BinaryField(default=raffles.models.lineage.new_installation, max_length=16)),
                ('epoch', models.PositiveIntegerField(default=1)),
                ('since', models.PositiveIntegerField(default=1)),
                ('system', models.CharField(max_length=40)),
                ('timeline', models.CharField(max_length=8)),
                ('database', models.CharField(max_length=40)),
                ('state', models.CharField(choices=[('serving', 'Serving'), ('moving', 'Moving'), ('mending', 'Mending')], default='serving', max_length=10)),
                ('token', models.BinaryField(max_length=16, null=True)),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('pk', 1)), name='lineage_one'), models.CheckConstraint(condition=models.Q(('since__gte', 1), ('since__lte', models.F('epoch'))), name='lineage_begins_in_an_epoch')],
            },
        ),
        migrations.RunPython(make, drop),
    ]
